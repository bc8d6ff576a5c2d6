"""The house as tests meet it: a process of its own beside a real pair, or a room by script."""

from __future__ import annotations

import asyncio
import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from mcp_multiplayer.config import Settings
from mcp_multiplayer.demo.pair import SERVER, Pair, eventually
from mcp_multiplayer.errors import BadMessage, MultiplayerError
from mcp_multiplayer.house import invitations

Json = dict[str, Any]

#: As fast as it goes.
FAST = {"HOUSE_PLAYERS": "8", "BOT_HOOKS_PER_MINUTE": "100000", "MAX_CHANNELS_PER_ACCOUNT": "1000"}
PROGRAM = "mcp_multiplayer.house"


class Running:
    """A pair and its house."""

    def __init__(self, directory: Path, *, pace: float = 0.0, **environment: str) -> None:
        self.pair = pair_of(directory, supervised=False, **environment)
        self.settings = settings_of(self.pair)
        self._pace = str(pace)
        self._house: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        return invitations.path(self.settings)

    @property
    def pid(self) -> int:
        assert self._house is not None
        return self._house.pid

    @property
    def output(self) -> str:
        """Everything the house has said."""
        return (self.pair.directory / "house").read_text(errors="replace")

    def start(self) -> Running:
        self.pair.start()
        return self.run()

    def run(self) -> Running:
        """Start the house, and wait until it listens."""
        with (self.pair.directory / "house").open("ab") as output:
            self._house = subprocess.Popen(
                [sys.executable, "-u", "-m", PROGRAM, "--pace", self._pace],
                env=self.pair.environment,
                cwd=self.pair.directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        eventually(lambda: asyncio.run(self._listens()), "the house to listen")
        return self

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_unix_connection(self.socket)
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True

    def kill(self, how: signal.Signals = signal.SIGKILL) -> int:
        """End the house; what it ended with."""
        assert self._house is not None
        self._house.send_signal(how)
        return self._house.wait(20)

    def stop(self) -> None:
        if self._house is not None:
            self._house.kill()
            self._house.wait()
        self.pair.stop()


def pair_of(directory: Path, *, supervised: bool = False, **environment: str) -> Pair:
    """A pair that lets a house play as fast as it can."""
    return Pair(directory, supervised=supervised, server=SERVER, **{**FAST, **environment})


def settings_of(pair: Pair) -> Settings:
    """The settings that the processes of a pair read from their environment."""
    known = {name.upper() for name in Settings.model_fields}
    given = {
        name.lower(): value
        for name, value in pair.environment.items()
        if name in known and not (name in os.environ and os.environ[name] == value)
    }
    return Settings.model_validate(given)


# A room by script


class Room:
    """Stands for `Rest` in one room. ``referee`` is told each post of the house and says what the
    referee does: messages to append."""

    def __init__(self, label: str = "house", players: tuple[str, ...] = ("alice", "house")) -> None:
        self.label = label
        self.players = players
        self.view: Json = {
            "channel_id": "chn_x",
            "status": "playing",
            "slots": [{"kind": "invite", "label": one, "state": "taken"} for one in players],
            "turn": None,
            "bots": [{"bot_id": "ref", "name": "GuessBot", "code_hash": "sha256:x", "params": {}}],
        }
        self.messages: list[Json] = []
        self.posts: list[Json] = []
        self.calls: list[str] = []
        self.keys: dict[str, int] = {}
        self.pending = False
        self.refuses = False
        self.left = False

    def add(self, sender: str, **body: Any) -> int:
        """Append a message, and do to the view what the server would."""
        number = len(self.messages) + 1
        self.messages.append({"id": number, "sender": sender, "body": body})
        if sender == "system" and body["type"] == "turn":
            self.view |= {"status": "playing", "turn": {"deadline": None, "to": None} | body}
        elif sender == "system" and body["type"] == "ended":
            self.view |= {"status": "ended", "turn": None}
        return number

    def ask(self, *players: str, expect: Any = ("a", "b", "c")) -> int:
        return self.add("system", type="turn", players=list(players), expect=list(expect))

    def react(self, body: Json) -> None:
        """What the referee does; a test puts its own here."""

    async def call(self, operation: str, *, patience: float = math.inf, **given: Any) -> Json:
        await asyncio.sleep(0)
        self.calls.append(operation)
        assert given["seat"] == self.label and len(self.calls) < 500
        found: Json = await getattr(self, f"_{operation}")(given)
        return found

    async def _get_channel_info(self, given: Json) -> Json:
        return {"view": self.view}

    async def _sync_messages(self, given: Json) -> Json:
        return self._page(given["cursor"])

    async def _post_message(self, given: Json) -> Json:
        if self.refuses:
            raise BadMessage("no")
        key, body = given["idempotency_key"], given["body"]
        said = {"text": body} if isinstance(body, str) else body
        if key not in self.keys:
            self.posts.append(given)
            self.keys[key] = self.add(self.label, **said)
            self.react(said)
        page = self._page(given["cursor"])
        page["messages"] = [one for one in page["messages"] if one["id"] != self.keys[key]]
        return {"msg_id": self.keys[key], **page, **({"pending": True} if self.pending else {})}

    async def _leave_channel(self, given: Json) -> Json:
        self.left = True
        return {}

    def _page(self, cursor: int) -> Json:
        newer = [one for one in self.messages if one["id"] > cursor]
        end = newer[-1]["id"] if newer else cursor
        return {"messages": newer, "cursor": end, "more": False, "view": self.view}


async def refused(settings: Settings, invite: str) -> str:
    """The code with which the house refuses an invite."""
    try:
        said = await invitations.ask(settings, invite)
    except MultiplayerError as error:
        return error.code
    raise AssertionError(f"it sits down: {said}")
