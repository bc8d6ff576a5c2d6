"""The creator of a room plays, and reads what the opponent has sealed in the author's log: an error
quotes it, a print shows it. Stopped by `views.author_may_read`; and what everybody reads of an
error (its class and its line) holds no word of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from mcp_multiplayer.sandbox.call import Failed, HookCall, Limits
from mcp_multiplayer.sandbox.host.pool import Pool
from tests.edge.api.house import House, Pair, Said, open_house

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: Reads a sealed number as authors do; `end` ends the game.
CARELESS = """
class Careless:
    def on_message(self, msg):
        text = msg["body"]["text"]
        if text == "end":
            self.ctx.end({"winners": [], "reason": "told so"})
            return
        print(msg)
        self.ctx.set_state({"bid": int(text)})
"""
SECRET = "forty-two"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with open_house(tmp_path_factory.mktemp("house")) as made:
        yield made


async def _sealed(house: House, pair: Pair) -> None:
    said = await house.rest(
        pair.bob, "post_message", channel_id=pair.id, body=SECRET, to=["bot:careless"]
    )
    assert said.status == 200, said.data


async def _answers(house: House, account: str, channel_id: str) -> list[Said]:
    """What the creator is told by everything that brings the author's log, and by the rest."""
    channel = {"channel_id": channel_id}
    return [
        await house.tool(account, "sync_messages", **channel, cursor=0, timeout_ms=0),
        await house.tool(account, "sync_messages", **channel),
        await house.tool(account, "get_channel_info", **channel),
        await house.tool(account, "update_channel", **channel, ops=[{"op": "start"}]),
        await house.tool(account, "post_message", **channel, body="1"),
        await house.tool(account, "get_transcript", **channel, format="inline", private=True),
        await house.tool(account, "get_bot_code", **channel),
        await house.tool(account, "list_channels"),
        await house.tool(account, "health_check"),
        await house.rest(account, "get_channel_info", **channel),
        await house.rest(account, "sync_messages", **channel, cursor=0, timeout_ms=0),
    ]


async def test_no_answer_shows_the_creator_what_the_opponent_sealed_until_the_seed_is_out(
    house: House,
) -> None:
    pair = await house.pair(bot_code=CARELESS)
    await _sealed(house, pair)
    for said in await _answers(house, pair.alice, pair.id):
        assert SECRET not in said.text + str(said.data)
        assert "author_log" not in said.data
    end = await house.rest(pair.bob, "post_message", channel_id=pair.id, body="end")
    assert end.data["view"]["status"] == "ended"
    said = await house.rest(pair.alice, "sync_messages", channel_id=pair.id, cursor=0)
    (first, *_) = said.data["author_log"]
    assert (first["error"], SECRET in first["text"], SECRET in first["print"]) == (
        "ValueError",
        True,
        True,
    )


async def test_a_creator_without_a_seat_reads_no_more(house: House) -> None:
    host, alice, bob = (house.account() for _ in range(3))
    room = await house.room(host, bot_code=CARELESS)
    for account, code in zip((alice, bob), room["invites"], strict=True):
        await house.rest(account, "join_channel", invite_code=code)
    await _sealed(house, Pair(room["channel_id"], alice, bob, room, {}))
    said = await house.tool(host, "get_channel_info", channel_id=room["channel_id"])
    assert SECRET not in said.text + str(said.data)
    assert said.data["author_log_waits"] is True


async def test_seats_of_the_creators_own_account_are_nobody_else(house: House) -> None:
    host = house.account()
    room = await house.room(host, bot_code=CARELESS, join_as="alice")
    joined = await house.rest(host, "join_channel", invite_code=room["invites"][0])
    assert joined.status == 200
    channel = {"channel_id": room["channel_id"]}
    said = await house.rest(host, "post_message", **channel, body="x", seat="bob")
    assert said.data["author_log"][0]["error"] == "ValueError"
    info = await house.rest(host, "get_channel_info", **channel)
    assert "author_log_waits" not in info.data


async def test_who_takes_one_of_those_seats_over_is_somebody_else(house: House) -> None:
    host, friend = house.account(), house.account()
    room = await house.room(host, bot_code=CARELESS, join_as="alice")
    joined = await house.rest(host, "join_channel", invite_code=room["invites"][0])
    token = joined.data["rejoin_token"]
    assert (await house.rest(friend, "join_channel", invite_code=token)).status == 200
    await _sealed(house, Pair(room["channel_id"], host, friend, room, {}))
    for said in await _answers(house, host, room["channel_id"]):
        assert SECRET not in said.text + str(said.data)


async def test_that_something_waits_is_not_told_by_whether_it_does(house: House) -> None:
    """A referee that prints only when a throw is a rock would tell by that."""
    pair = await house.pair(bot_code=CARELESS)
    before = await house.tool(pair.alice, "get_channel_info", channel_id=pair.id)
    await _sealed(house, pair)
    after = await house.tool(pair.alice, "get_channel_info", channel_id=pair.id)
    told = [[x for x in said.lines if x.startswith("author log")] for said in (before, after)]
    assert told[0] == told[1] != []


async def test_a_guest_reads_when_the_creator_is_told(house: House) -> None:
    room = await house.room(house.account(), bot_code=CARELESS)
    said = await house.tool(house.account(), "inspect_invite", invite_code=room["invites"][0])
    assert "once somebody else has joined only when the seed is out" in said.text


#: Ways to name an exception's class by what was sealed.
NAMES = {
    "type": 'raise type(text, (Exception,), {})("x")',
    "setattr": 'setattr(E, "__name__", text)\n        raise E()',
    "wraps": (
        "import collections, functools\n        "
        "functools.wraps(collections.namedtuple(text, []), updated=())(E)\n        raise E()"
    ),
    "update_wrapper": (
        "import collections, functools\n        "
        "functools.update_wrapper(E, collections.namedtuple(text, []), updated=())\n        "
        "raise E()"
    ),
    "metaclass": "raise E.mro()[-1].__class__(text, (E,), {})()",
    "namedtuple": "import collections\n        raise collections.namedtuple(text, [])()",
    "chain": "raise E(text) from ValueError(text)",
    "group": "raise ExceptionGroup(text, [ValueError(text)])",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool() -> AsyncIterator[Pool]:
    made = Pool(limits=Limits())
    await made.start()
    yield made
    await made.close()


@pytest.mark.parametrize("way", NAMES)
async def test_the_class_of_an_error_that_all_read_is_none_that_the_sealed_word_named(
    pool: Pool, way: str
) -> None:
    source = (
        "class E(Exception):\n    pass\n"
        f"class Namer:\n    def on_message(self, msg):\n        text = msg['body']['text']\n"
        f"        {NAMES[way]}\n"
    )
    body = {"text": "Heron"}
    ran = await pool.run(HookCall(source, "on_message", args=({"body": body},), key=b"k" * 32))
    assert isinstance(ran, Failed)
    assert "Heron" not in ran.error
