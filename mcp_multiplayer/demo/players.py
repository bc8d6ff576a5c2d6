"""Two scripted agents over real MCP, and what each of them keeps: its words, every line `log:`,
every signed head, the invite.

They know nothing of cheating: they play, and afterwards they compare what they kept.
"""

from __future__ import annotations

import asyncio
import io
import json
import re
import secrets
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from mcp_multiplayer.client import Agent, Settings, SignIn
from mcp_multiplayer.demo.plot import HIGH, LOW

Json = dict[str, Any]
_LINE = re.compile(r"(?m)^log: (\d+) entries, root (\S+)$")


@dataclass
class Player:
    """One agent in one room."""

    name: str
    agent: Agent
    room: str = ""
    lines: list[str] = field(default_factory=list)  #: as the verifier takes them
    heads: dict[int, Json] = field(default_factory=dict)  #: signed, by size
    said: list[Any] = field(default_factory=list)
    seen: list[Json] = field(default_factory=list)  #: messages
    entropy: str = field(default_factory=lambda: secrets.token_hex(16))

    async def call(self, tool: str, **arguments: Any) -> Json:
        answer = await self.agent.call(tool, **arguments)
        for size, root in _LINE.findall(answer["text"]):
            line = f"{self.name}: {size} {root}"
            if line not in self.lines:
                self.lines.append(line)
        head = (answer.get("view") or {}).get("head")
        if head and "signature" in head:
            self.heads[head["size"]] = head
        self.seen += answer.get("messages", [])
        return answer

    async def say(self, body: Any) -> Json:
        """Post, and return the answer."""
        self.said.append({"text": body} if isinstance(body, str) else body)
        return await self.call("post_message", channel_id=self.room, body=body)

    async def guess(self, number: int) -> str:
        """Return what the referee makes of it."""
        answer = await self.say(f"guess {number}")
        judged = [m["body"] for m in answer["messages"] if m["body"].get("type") == "judge"]
        return str(judged[-1]["result"]) if judged else "nothing"

    async def look(self) -> Json:
        """Read what came since."""
        return await self.call("sync_messages", channel_id=self.room, cursor=0, limit=500)

    def confirms(self, file: bytes) -> bool:
        """Whether what stands in the file under this name is what this player has said."""
        return _said(file, self.name) == [self.entropy, *self.said]


@dataclass
class Game:
    """A room with its two players, and the link that brought bob."""

    alice: Player
    bob: Player
    base: str
    link: str = ""

    async def download(self, player: Player) -> bytes:
        answer = await player.call("get_transcript", channel_id=player.room)
        for head in player.heads.values():
            head["origin"] = answer["origin"]
        async with httpx.AsyncClient(verify=False) as plain:
            return (await plain.get(answer["url"])).raise_for_status().content


@asynccontextmanager
async def seated(base: str, directory: Path, high: int = HIGH) -> AsyncIterator[Game]:
    """A room for GuessBot in which alice and bob have just sat down, under accounts of their own;
    both have given entropy."""
    settings = Settings(base, "demo", False, directory / "tokens.json", "")
    with closing(SignIn(settings)) as sign_in:
        tokens = [await asyncio.to_thread(sign_in.token, name) for name in ("alice", "bob")]
    async with Agent(settings, tokens[0]) as one, Agent(settings, tokens[1]) as two:
        game = Game(Player("alice", one), Player("bob", two), base)
        await _sit_down(game, high)
        yield game


async def _sit_down(game: Game, high: int) -> None:
    alice, bob = game.alice, game.bob
    made = await alice.call(
        "create_channel",
        bot_preset="GuessBot",
        bot_params={"low": LOW, "high": high},
        join_as="alice",
        entropy=alice.entropy,
    )
    alice.room = bob.room = made["channel_id"]
    game.link = made["invite_links"]["bob"]
    seen = await bob.call("inspect_invite", invite_code=game.link)
    await bob.call(
        "join_channel", invite_code=game.link, expect_terms=seen["terms"], entropy=bob.entropy
    )
    await alice.look()


async def halve(game: Game) -> str:
    """Play by halving the interval, in turns, until somebody hits. Return who, and on what."""
    low, high, turn = LOW, 100, 0
    while True:
        player = (game.alice, game.bob)[turn % 2]
        number = (low + high) // 2
        match await player.guess(number):
            case "correct":
                return f"{player.name} hits {number} with guess number {turn + 1}"
            case "high":
                high = number - 1
            case _:
                low = number + 1
        turn += 1


def note(head: Json) -> str:
    """The signed note that size, root and signature make (docs/format.md, Signed heads)."""
    text = f"{head['origin']}\n{head['size']}\n{head['root']}\n"
    return f"{text}\n— {head['origin']} {head['signature']}\n"


def _said(file: bytes, name: str) -> list[Any]:
    """What a name gave to the dice, and its public words, in the file of get_transcript."""
    with zipfile.ZipFile(io.BytesIO(file)) as bundle:
        entries = [json.loads(line) for line in bundle.read("entries.jsonl").splitlines()]
    seats = {slot["label"]: slot["id"] for slot in entries[0]["slots"]}
    given = [e["entropy"] for e in entries if e["t"] == "join" and e["slot"] == seats[name]]
    said = [e["m"]["b"] for e in entries if e["t"] == "msg" and e["m"]["s"] == seats[name]]
    return given + said
