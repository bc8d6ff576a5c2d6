"""Games of the shipped referees as a page is given them: the messages that one reader may see, the
manifest, whose turn it is."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mcp_multiplayer.edge.api import render_boards
from mcp_multiplayer.sandbox.call import Said
from mcp_multiplayer.service import boards
from mcp_multiplayer.workshop.fairness import choose
from mcp_multiplayer.workshop.table import BOTS, Plain, Table
from tests.bots.test_presets import manifest

Json = dict[str, Any]
#: Their games are played without the network; of the others stands here what they say.
NETWORKED: Mapping[str, list[Json]] = {
    "price_bot.py": [
        {"type": "price", "symbol": "BTC", "price": "114609.375", "unit": "USD"},
        {"type": "guesses", "guesses": {"alice": "114000", "bob": "115000.5"}},
        {"type": "settled", "price": "114612.5", "off": {"alice": "612.5", "bob": "388"}},
    ],
    "tls_bot.py": [
        {
            "type": "certificate",
            "text": "example.com shows a certificate that is valid for 61 days",
            "fingerprint": "sha256:" + "9f3c2a71d5e84b06" * 4,
            "names": ["example.com", "www.example.com"],
            "chain": [
                {"subject": "example.com", "issuer": "Test CA 3", "until": "2027-01-31"},
                {"subject": "Test CA 3", "issuer": "Test Root", "until": "2031-05-01"},
            ],
            "seen": [{"at": "2026-12-01", "by": "alice", "host": "example.com"}],
        }
    ],
}
#: What chance would hardly say: who, and how a body that is expected begins, or one's own.
SCRIPTS: Mapping[str, list[tuple[str, str]]] = {
    "memory_exchange_bot.py": [
        *(("alice", "opt in"), ("bob", "opt in"), ("alice", "ask What do you like about May?")),
        *(("bob", "answer The rain."), ("alice", "release"), ("bob", "release")),
    ],
    "judge_bot.py": [
        *(("alice", "propose Be kind to each other."), ("alice", "accept"), ("bob", "accept")),
        *(("alice", "claim Bob was not kind."), ("bob", "deny I was.")),
        *(("alice", "rest"), ("bob", "rest")),
    ],
}
FILES = sorted(path.name for path in BOTS.glob("*_bot.py"))


@dataclass
class Recorded:
    """A game as ``reader`` sees it."""

    file: str
    bot: Json
    reader: str = "alice"
    messages: list[Json] = field(default_factory=list)
    turn: Json | None = None

    def say(self, sender: str, body: Any, to: Any = None, kind: str = "user") -> None:
        number = len(self.messages) + 1
        message = {
            "id": number,
            "entry": number + 3,
            "channel_id": "chn_1",
            "sender": sender,
            "kind": kind,
            "body": body if isinstance(body, dict) else {"text": body},
            "ts": f"2026-12-01T10:{number // 60 % 60:02}:{number % 60:02}.000Z",
        }
        if to is not None:
            message["to"] = list(to)
            if self.reader not in (sender, *to):
                message["body"] = {"sealed": "Zm9v"}
        self.messages.append(message)

    def hear(self, said: Said) -> None:
        """What the referee says; values that are private are there for those addressed alone."""
        body, to = dict(said.body), said.to
        sender = f"bot:{self.bot['bot_id']}"
        if said.private is None:
            self.say(sender, body, to, "bot")
            return
        mine = to is not None and self.reader in to
        self.say(sender, body | (dict(said.private) if mine else {"_sd": "Zm9v"}), None, "bot")

    def items(self) -> list[Json]:
        """What Python finds."""
        bot = self.bot
        said = [
            boards.Said(message["id"], message["body"])
            for message in self.messages[-boards.LOOK_BACK :]
            if message["sender"] == f"bot:{bot['bot_id']}" and message["entry"] > bot["since"]
        ]
        found = boards.drawn(bot["manifest"], bot["params"], reversed(said))
        return render_boards.items(bot["bot_id"], found)


async def play(file: str, seed: int = 1, moves: int = 12, reader: str = "alice") -> Recorded:
    """A game by chance, of so many moves or to its end; stopped where it is the reader's turn, if
    it can be. ``seed`` 0: nothing but chance."""
    about = manifest(BOTS / file)
    bot = {"bot_id": about["label"], "manifest": about, "params": {}, "since": 3}
    game = Recorded(file, bot, reader)
    if file in NETWORKED:
        for told in NETWORKED[file]:
            game.say(f"bot:{bot['bot_id']}", told, kind="bot")
        return game
    chance = random.Random(f"{file} {seed}")
    table = Table(Plain(), (BOTS / file).read_text(), seed=chance.randbytes(8))
    table.bot_id = about["label"]
    await table.begin("alice", "bob")
    _take(game, table, 0)
    script = list(SCRIPTS.get(file, []))
    for number in range(moves + 6):
        if not table.movers or (number >= moves and reader in table.movers):
            break
        heard, turn = len(table.posts), table.turn
        assert turn is not None
        player = chance.choice(table.movers)
        body: Any = choose(turn.expect, chance)
        if script and seed:
            player, begins = script.pop(0)
            listed = turn.expect["body"] if isinstance(turn.expect, dict) else turn.expect
            body = next((one for one in listed if one.startswith(begins)), begins)
        to = None if turn.to is None else list(turn.to)
        game.say(player, body, to)
        await table.say(player, body, to)
        _take(game, table, heard)
    return game


def _take(game: Recorded, table: Table, heard: int) -> None:
    for said in table.posts[heard:]:
        game.hear(said)
    turn = table.turn
    players = [] if turn is None else list(turn.players)
    told = {"type": "turn", "players": players, "expect": turn and turn.expect}
    game.say("system", told, kind="system")
    game.turn = (
        None
        if turn is None
        else {
            "players": players,
            "yours": game.reader in players,
            "deadline": None,
            "expect": turn.expect,
            "to": None if turn.to is None else list(turn.to),
        }
    )


async def telling(file: str) -> Recorded:
    """Of some games the one with the most panels, if it can be one that waits for the reader."""
    tried = [await play(file, seed, moves) for seed in range(1, 7) for moves in (6, 14)]
    return max(tried, key=lambda one: (len(one.items()), bool(one.turn and one.turn["yours"])))
