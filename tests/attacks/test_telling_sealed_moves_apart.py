"""An opponent or an onlooker compares a room with another that differs in one sealed move only,
before the end: by what the tools say, what they refuse, the record inline and behind a link."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from tests.edge.api.house import House, open_house

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: What may differ: times, ids, digests, hashes, signatures, codes. Not how long they are.
_VARIES = (
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "<time>"),
    (re.compile(r"\b1[78]\d{11}\b"), "<ms>"),
    (re.compile(r"chn_[A-Za-z0-9_-]+|inv_[A-Za-z0-9_.-]+|mrt_[A-Za-z0-9_.-]+"), "<id>"),
    (re.compile(r"— \S+ [A-Za-z0-9+/=]+"), "<signature>"),
    (re.compile(r"\b(?:\d+ (?:d|h|min|s) )+left\b"), "<time> left"),
    (re.compile(r"\b\d+ s(?: |\b)"), "<seconds>"),
)
_DIGEST = re.compile(r"[A-Za-z0-9_+/-]{11,}={0,2}")
MOVES = {
    "RockPaperScissorsBot": ("rps", "rock", "scissors"),
    "AuctionBot": ("auction", "bid 20", "bid 499"),
    "PriceBot": ("price", "guess 1", "guess 99999"),
    "CoinBot": ("coin", "heads", "tails"),
    "DealBot": ("deal", "limit 20", "limit 99"),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with open_house(tmp_path_factory.mktemp("house")) as made:
        yield made


def alike(text: str) -> str:
    """With everything that may differ replaced by what it is, and digests by how long they are."""
    for pattern, name in _VARIES:
        text = pattern.sub(name, text)
    return _DIGEST.sub(lambda found: f"<{len(found[0])}>", text)


class Room:
    """alice seals a move; bob, who is to move as well, and wendy, who watches, look around."""

    def __init__(self, house: House, preset: str, move: str) -> None:
        self.house, self.preset, self.move = house, preset, move
        self.seen: list[str] = []

    async def ask(self, who: str, name: str, **arguments: Any) -> None:
        said = await self.house.tool(who, name, channel_id=self.id, **arguments)
        self.seen.append(f"{name} {arguments}\n{alike(said.text)}")
        rest = await self.house.rest(who, name, channel_id=self.id, **arguments)
        self.seen.append(f"{rest.status} {alike(json.dumps(rest.data, sort_keys=True))}")

    async def play(self) -> list[str]:
        house = self.house
        alice, bob, wendy = house.account(), house.account(), house.account()
        label = MOVES[self.preset][0]
        slots = [f"bot:{label}", "invite:alice", "invite:bob", "watch:wendy"]
        room = await house.room(
            alice,
            name="a room",
            bot_preset=self.preset,
            bot_params={"item": "a bike"} if self.preset == "AuctionBot" else {},
            slots=slots,
            join_as="alice",
        )
        self.id = room["channel_id"]
        codes = room["invite_links"]
        for who, seat in ((wendy, "wendy"), (bob, "bob")):
            joined = await house.rest(who, "join_channel", invite_code=codes[seat])
            assert joined.status == 200, joined.data
        to = [f"bot:{label}"]
        said = await house.rest(alice, "post_message", channel_id=self.id, body=self.move, to=to)
        assert said.status == 200, said.data
        heard = [m for m in said.data["messages"] if m["body"].get("type") == "violation"]
        assert not heard, heard
        for who in (bob, wendy):
            await self.ask(who, "sync_messages", timeout_ms=0, cursor=0, limit=500)
            await self.ask(who, "get_channel_info")
            await self.ask(who, "get_transcript", format="inline")
            await self.record(who)
        await self.ask(bob, "post_message", body="nonsense", to=to)
        await self.ask(bob, "post_message", body="nonsense", to=["bot:nobody"])
        await self.ask(bob, "update_channel", ops=[{"op": "open_sealed", "bot_id": label}])
        return self.seen

    async def record(self, who: str) -> None:
        link = await self.house.rest(who, "get_transcript", channel_id=self.id)
        answer = await self.house.http.get(urlsplit(link.data["url"]).path)
        with zipfile.ZipFile(io.BytesIO(answer.content)) as record:
            for info in record.infolist():
                text = record.read(info).decode()
                if info.filename.endswith(".jsonl"):
                    self.seen.append(f"{info.filename} {[*map(len, text.splitlines())]}")
                self.seen.append(alike(f"{info.filename}\n{text}"))


@pytest.mark.parametrize("preset", MOVES)
async def test_a_sealed_move_tells_nobody_before_the_end_which_it_was(
    house: House, preset: str
) -> None:
    _, one, other = MOVES[preset]
    rooms = [await Room(house, preset, move).play() for move in (one, other, one)]
    assert len(rooms[0]) > 20
    for first, second, third in zip(*rooms, strict=True):
        assert first == second == third


async def test_what_may_differ_hides_no_word() -> None:
    assert alike("bob played rock, next: wait") != alike("bob played paper, next: wait")
    assert alike('{"size":12}') != alike('{"size":13}')
