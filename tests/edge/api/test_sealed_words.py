"""What the tools say of words that only a referee hears: before joining, when they are said, when
they are opened."""

from __future__ import annotations

import io
import zipfile
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from tests.edge.api.house import House, Pair, open_house

pytestmark = pytest.mark.asyncio(loop_scope="module")

REFEREE = """
MANIFEST = {"label": "deal", "sealed": "SEALED"}
class Deal:
    def on_start(self):
        self.ctx.set_turn(self.ctx.players, expect="a price", to=["bot:deal"])
    def on_message(self, msg):
        if msg["body"]["text"] == "end":
            self.ctx.end({"winners": []})
        else:
            self.ctx.set_state({"n": self.ctx.get_state().get("n", 0) + 1})
"""
OPENED, KEPT = (REFEREE.replace("SEALED", word) for word in ("opened", "kept"))
TO = ["bot:deal"]
OPEN: dict[str, Any] = {"op": "open_sealed", "bot_id": "deal"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with open_house(tmp_path_factory.mktemp("house")) as made:
        yield made


def line(text: str, name: str) -> str:
    """The one line that begins so."""
    (found,) = [one for one in text.split("\n") if one.startswith(f"{name}: ")]
    return found


async def say(house: House, who: str, pair: Pair, text: str, **more: Any) -> str:
    said = await house.tool(who, "post_message", channel_id=pair.id, body=text, **more)
    assert not said.refused, said.text
    return said.text


async def opened_words(house: House, who: str, pair: Pair) -> str:
    """The entries of the record as anybody reads them behind a link."""
    said = await house.rest(who, "get_transcript", channel_id=pair.id)
    answer = await house.http.get(urlsplit(said.data["url"]).path)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as record:
        return "".join(record.read(name).decode() for name in record.namelist() if ".json" in name)


@pytest.mark.parametrize(("code", "word"), [(OPENED, "opened to all members"), (KEPT, "closed")])
async def test_a_guest_reads_what_becomes_of_sealed_words_before_joining(
    house: House, code: str, word: str
) -> None:
    room = await house.room(house.account(), bot_code=code, join_as="alice")
    said = await house.tool(house.account(), "inspect_invite", invite_code=room["invites"][0])
    assert word in line(said.text, "sealed") and "bot:deal" in line(said.text, "sealed")
    assert said.data["bots"][0]["sealed"] == ("opened" if code == OPENED else "kept")


async def test_the_line_names_the_days_after_which_a_stranded_game_is_opened(house: House) -> None:
    room = await house.room(house.account(), bot_code=OPENED, join_as="alice")
    said = await house.tool(house.account(), "inspect_invite", invite_code=room["invites"][0])
    assert "after 7 days at the latest" in line(said.text, "sealed")


@pytest.mark.parametrize(("code", "word"), [(OPENED, "opened to all members"), (KEPT, "closed")])
async def test_the_answer_to_a_sealed_post_says_what_becomes_of_it(
    house: House, code: str, word: str
) -> None:
    pair = await house.pair(bot_code=code)
    assert word in line(await say(house, pair.alice, pair, "140", to=TO), "sealed")
    assert "sealed:" not in await say(house, pair.alice, pair, "hello")
    assert "sealed:" not in await say(house, pair.alice, pair, "hello", to=["bob"])


async def test_the_second_sealed_post_of_a_seat_says_it_in_short(house: House) -> None:
    pair = await house.pair(bot_code=OPENED)
    for who in (pair.alice, pair.bob):
        assert "is opened to all" in line(await say(house, who, pair, "140", to=TO), "sealed")
        assert line(await say(house, who, pair, "139", to=TO), "sealed").endswith("as before.")


@pytest.mark.parametrize(("code", "shown"), [(OPENED, '"140140"'), (KEPT, '{"sealed":')])
async def test_after_the_end_everybody_reads_what_was_opened(
    house: House, code: str, shown: str
) -> None:
    pair = await house.pair(bot_code=code)
    await say(house, pair.alice, pair, "140140", to=TO)
    running = await house.tool(pair.bob, "sync_messages", channel_id=pair.id)
    assert "140140" not in running.text
    await say(house, pair.alice, pair, "end")
    over = await house.tool(pair.bob, "sync_messages", channel_id=pair.id)
    assert f"alice -> bot:deal: {shown}" in over.text


async def test_what_a_running_game_keeps_private_is_no_word_after_it(house: House) -> None:
    pair = await house.pair(bot_code=OPENED)
    running = await house.tool(pair.bob, "get_transcript", channel_id=pair.id)
    await say(house, pair.alice, pair, "end")
    over = await house.tool(pair.bob, "get_transcript", channel_id=pair.id)
    assert "running game" in running.text and "running game" not in over.text


async def test_the_turn_says_that_the_move_is_sealed_and_next_repeats_it(house: House) -> None:
    pair = await house.pair(bot_code=OPENED)
    said = await house.tool(pair.bob, "sync_messages", channel_id=pair.id, timeout_ms=0)
    assert said.data["view"]["turn"]["to"] == TO
    assert 'to=["bot:deal"]' in line(said.text, "next")
    (turn,) = [m for m in said.data["messages"] if m["body"].get("type") == "turn"]
    assert turn["body"]["to"] == TO


async def test_kept_words_are_opened_when_all_who_said_them_agree(house: House) -> None:
    pair = await house.pair(bot_code=KEPT)
    await say(house, pair.alice, pair, "140140", to=TO)
    await say(house, pair.bob, pair, "165165", to=TO)
    text = await say(house, pair.alice, pair, "end")
    assert line(text, "sealed").endswith(
        f'update_channel(channel_id="{pair.id}", ops=[{{"op":"open_sealed","bot_id":"deal"}}])'
    )
    assert "140140" not in await opened_words(house, pair.bob, pair)
    first = await house.tool(pair.alice, "update_channel", channel_id=pair.id, ops=[OPEN])
    assert first.data["view"]["kept"] == {
        "deal": {"parties": ["alice", "bob"], "agreed": ["alice"]}
    }
    assert "140140" not in await opened_words(house, pair.bob, pair)
    last = await house.tool(pair.bob, "update_channel", channel_id=pair.id, ops=[OPEN])
    assert "kept" not in last.data["view"] and "open to all members" in last.text
    for who in (pair.alice, pair.bob):
        record = await opened_words(house, who, pair)
        assert "140140" in record and "165165" in record


async def test_closing_a_room_says_that_it_has_opened_what_was_sealed(house: House) -> None:
    pair = await house.pair(bot_code=OPENED)
    await say(house, pair.alice, pair, "140140", to=TO)
    await say(house, pair.alice, pair, "end")
    await house.tool(pair.bob, "leave_channel", channel_id=pair.id)
    closed = await house.tool(
        pair.alice, "update_channel", channel_id=pair.id, ops=[{"op": "close"}]
    )
    assert closed.data["view"]["status"] == "closed"
    assert "open to all members" not in closed.text  # it was open when the game ended


async def test_closing_before_the_end_says_that_it_has_opened_what_was_sealed(house: House) -> None:
    host = house.account()
    slots = ["bot:deal", "invite:alice", "invite:bob"]
    room = await house.room(host, bot_code=OPENED, slots=slots, join_as="alice")
    await house.rest(host, "update_channel", channel_id=room["channel_id"], ops=[{"op": "start"}])
    pair = Pair(room["channel_id"], host, host, room, room)
    await say(house, host, pair, "140140", to=TO)
    closed = await house.tool(host, "update_channel", channel_id=pair.id, ops=[{"op": "close"}])
    assert "open to all members" in closed.text
    assert "140140" in await opened_words(house, host, pair)


@pytest.mark.parametrize("word", ["keep", "Kept", "", True, None])
async def test_a_manifest_that_says_neither_is_refused(house: House, word: Any) -> None:
    code = REFEREE.replace('"SEALED"', repr(word))
    said = await house.rest(house.account(), "create_channel", bot_code=code, join_as="alice")
    assert said.refused == "INVALID_REQUEST" and '"opened" nor "kept"' in said.data["message"]


async def test_a_referee_that_keeps_what_it_hears_has_no_network(house: House) -> None:
    said = await house.rest(
        house.account(), "create_channel", bot_code="import requests\n" + KEPT, join_as="alice"
    )
    assert said.refused == "INVALID_REQUEST" and "cannot use the network" in said.data["message"]


# --- try_bot -------------------------------------------------------------------------------

JOIN: list[dict[str, Any]] = [{"join": "alice"}, {"join": "bob"}]


async def tried(house: House, code: str, *more: dict[str, Any]) -> Any:
    return await house.tool(house.account(), "try_bot", bot_code=code, events=[*JOIN, *more])


@pytest.mark.parametrize(("code", "word"), [(OPENED, "opened to all members"), (KEPT, "closed")])
async def test_a_trial_with_a_sealed_word_says_what_becomes_of_it(
    house: House, code: str, word: str
) -> None:
    said = await tried(house, code, {"say": "1", "as": "alice", "to": TO})
    assert word in line(said.text, "sealed") and said.data["sealed"] == line(said.text, "sealed")
    assert "sealed" not in (await tried(house, code, {"say": "1", "as": "alice"})).data


@pytest.mark.parametrize(
    ("expect", "warns"),
    [
        ('"bid N, sealed to me"', True),
        ('"Seal your bid"', True),
        ('["bid 1", \'to=["bot:deal"]\']', True),
        ('{"body": ["bid 1"], "also": "send it sealed"}', True),
        ('"a concealed weapon"', False),
        ('"bid N"', False),
        ('{"body": ["bid 1"], "to": ["bot:deal"], "also": "send it sealed"}', False),
    ],
)
async def test_a_trial_warns_of_a_sealed_move_that_is_sealed_to_nobody(
    house: House, expect: str, warns: bool
) -> None:
    code = OPENED.replace('expect="a price", to=["bot:deal"]', f"expect={expect}")
    said = await tried(house, code)
    assert ("warnings" in said.data) == warns
    assert ("  warning: " in said.text) == warns


async def test_a_trial_shows_to_whom_the_turn_is_sealed(house: House) -> None:
    said = await tried(house, OPENED)
    assert said.data["turn"]["to"] == TO and "\n  sealed to: bot:deal" in said.text
