"""Writes down a record for the verifiers of later releases: ``python -m tests.verifier.keep_record
NAME``. A record that a release has kept is never written again; until then, a change of the format
makes it anew."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.verifier.games import Game, table

RECORDS = Path(__file__).parent / "kept"
#: Draws, keeps a state, hears sealed words, takes time, and ends.
REFEREE = """
MANIFEST = {"label": "bank", "rules": "Say a number in private, then stop."}
class Bank:
    def __init__(self, ctx, params):
        self.ctx, self.s = ctx, ctx.get_state()
    def on_start(self):
        self.s["sum"] = self.ctx.random.randint(1, 6)
        self.ctx.set_state(self.s)
        self.ctx.set_turn(["alice"], seconds=3600, expect="a number", to=["bot:bank"])
    def on_message(self, msg):
        text = msg["body"]["text"]
        if text == "stop":
            self.ctx.post("bot", {"sum": self.s["sum"], "card": self.ctx.random.choice("KQJ")})
            self.ctx.end({"winners": ["bob"]})
        elif text.isdigit():
            self.s["sum"] += int(text)
            self.ctx.set_state(self.s)
            self.ctx.post("bot", {"so far": self.s["sum"]}, to=[msg["sender"]])
    def on_leave(self, player):
        self.ctx.post("bot", {"left": player})
"""


async def play() -> bytes:
    """A game with one of nearly everything that a log can hold."""
    async with table() as server:
        slots = ("invite:alice:admin", "invite:bob", "watch:carol")
        game: Game = await server.open(code=REFEREE, slots=slots)
        await game.seated()
        await game.update("alice", {"op": "rename", "name": "kept for later"})
        await game.say("alice", "20", ["bot:bank"])
        await game.say("bob", {"text": "words that are erased"}, ["alice"])
        await game.say("bob", "22", ["bot:bank"])
        await game.update("alice", {"op": "hand_over", "player_id": "bob"})
        assert game.room.channel.proposal is not None
        accept = {"op": "accept_change", "terms": game.room.channel.proposal.terms}
        await game.update("bob", accept)
        await game.say("alice", "stop")
        await game.leave("bob")
        (gone,) = [
            one.entry
            for one in game.room.messages_after(0, 99)
            if one.sender == "bob" and one.to == ("alice",)
        ]
        await game.erase(gone)
        await game.update("alice", {"op": "close"})
        return game.bundle().without_words(gone).zip()


if __name__ == "__main__":
    RECORDS.mkdir(exist_ok=True)
    (RECORDS / f"{sys.argv[1]}.zip").write_bytes(asyncio.run(play()))
