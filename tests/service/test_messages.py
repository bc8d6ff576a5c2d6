"""How a member reads: pages, and what a wait is for."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from mcp_multiplayer.channel.events import Run
from mcp_multiplayer.channel.view import Message
from mcp_multiplayer.errors import InvalidRequest
from mcp_multiplayer.service.channel_manager import ChannelManager
from mcp_multiplayer.service.messages import (
    PAGE_BYTES,
    PAGE_MESSAGES,
    Page,
    Watch,
    newest_page,
    page,
)
from mcp_multiplayer.service.replica import Replica
from tests.channel.table import RECEIPT
from tests.harness import opened

ALICE, BOB, CAROL = frozenset({"alice"}), frozenset({"bob"}), frozenset({"carol"})


@dataclass
class Talk:
    channels: ChannelManager
    room: Replica
    codes: dict[str, str]

    async def say(self, text: str, *, account: str = "A", to: list[str] | None = None) -> int:
        posted = await self.channels.post_message(account, self.room.channel_id, text, to=to)
        return posted.msg_id


@pytest.fixture
async def talk(channels: ChannelManager) -> Talk:
    """A (alice), B (bob) and C (carol) sit; messages 1 to 3 say so."""
    room, codes = await opened(channels, "invite:alice", "invite:bob", "invite:carol")
    for account, label in (("A", "alice"), ("B", "bob"), ("C", "carol")):
        await channels.join_channel(account, codes[label])
    return Talk(channels, room, codes)


def ids(got: Page) -> list[int]:
    return [one.id for one in got.messages]


async def test_a_page_holds_what_follows_its_cursor(talk: Talk) -> None:
    await talk.say("four")
    got = page(talk.room, BOB, 2, 50)
    assert (ids(got), got.cursor, got.more) == ([3, 4], 4, False)


async def test_an_empty_page_keeps_its_cursor(talk: Talk) -> None:
    assert page(talk.room, BOB, 3, 50) == Page((), 3, more=False)


async def test_a_page_is_cut_at_its_limit_and_says_so(talk: Talk) -> None:
    got = page(talk.room, BOB, 0, 2)
    assert (ids(got), got.cursor, got.more) == ([1, 2], 2, True)
    got = page(talk.room, BOB, got.cursor, 2)
    assert (ids(got), got.cursor, got.more) == ([3], 3, False)


@pytest.mark.parametrize(("asked", "given"), [(0, 1), (-5, 1), (3, 3), (10_000, 3)])
async def test_a_limit_is_brought_into_its_range(talk: Talk, asked: int, given: int) -> None:
    assert len(page(talk.room, BOB, 0, asked).messages) == given


async def test_pages_one_after_the_other_give_everything_once(talk: Talk) -> None:
    for n in range(30):
        await talk.say(f"text {n}")
    for limit in (1, 7, 500):
        seen, cursor, more = [], 0, True
        while more:
            got = page(talk.room, BOB, cursor, limit)
            seen += ids(got)
            cursor, more = got.cursor, got.more
        assert seen == list(range(1, 34))


async def test_a_page_weighs_no_more_than_a_client_can_take(talk: Talk) -> None:
    for _ in range(9):
        await talk.say("の" * 5_000)
    got = page(talk.room, BOB, 3, 500)
    assert (ids(got), got.more) == ([4, 5], True)
    assert sum(len(str(one.body).encode()) for one in got.messages) <= PAGE_BYTES


async def test_one_message_is_given_however_large_it_is(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_multiplayer.service.messages.PAGE_BYTES", 1)
    assert ids(page(talk.room, BOB, 0, 50)) == [1]


async def test_the_readers_own_post_is_left_out_and_passed_over(talk: Talk) -> None:
    mine = await talk.say("mine")
    got = page(talk.room, ALICE, 3, 50, but=mine)
    assert (ids(got), got.cursor, got.more) == ([], 4, False)
    await talk.say("answer", account="B")
    assert ids(page(talk.room, ALICE, 2, 2, but=mine)) == [3, 5]
    assert page(talk.room, ALICE, 2, 1, but=mine) == Page(
        page(talk.room, ALICE, 2, 1).messages, 4, more=True
    )


@pytest.mark.parametrize("cursor", [-1, 4, 2**60])
async def test_a_cursor_of_another_room_is_refused(talk: Talk, cursor: int) -> None:
    with pytest.raises(InvalidRequest, match="newest message is 3"):
        page(talk.room, BOB, cursor, 50)


async def test_the_newest_page_ends_with_the_newest_message(talk: Talk) -> None:
    await talk.say("four")
    assert ids(newest_page(talk.room, BOB, 2)) == [3, 4]
    assert ids(newest_page(talk.room, BOB, 50)) == [1, 2, 3, 4]


async def test_the_newest_page_leaves_out_the_oldest_when_not_all_fit(talk: Talk) -> None:
    for _ in range(9):
        await talk.say("x" * 15_000)
    got = newest_page(talk.room, BOB, 500)
    assert (ids(got), got.cursor, got.more) == ([11, 12], 12, False)


async def test_the_newest_message_comes_however_large_it_is(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_multiplayer.service.messages.PAGE_BYTES", 1)
    assert ids(newest_page(talk.room, BOB, 50)) == [3]


async def test_a_page_shows_a_whisper_to_those_it_is_for(talk: Talk) -> None:
    number = await talk.say("psst", to=["bob"])
    for names, sees in ((ALICE, True), (BOB, True), (CAROL, False)):
        (one,) = page(talk.room, names, number - 1, 1).messages
        assert (one.body == {"text": "psst"}) == sees
        assert (list(one.body) == ["sealed"]) == (not sees)


async def test_who_sits_down_later_reads_no_whisper_to_the_last_occupant(talk: Talk) -> None:
    number = await talk.say("psst", to=["bob"])
    (one,) = page(talk.room, BOB, number - 1, 1, since=talk.room.head.size).messages
    assert list(one.body) == ["sealed"]


async def test_old_and_recent_messages_read_alike(talk: Talk) -> None:
    for n in range(20):
        await talk.say(f"text {n}")
    whole = page(talk.room, BOB, 0, 500)
    cold = Replica.load(talk.channels.store, talk.room.channel_id)
    assert cold
    cold._recent.clear()
    assert page(cold, BOB, 0, 500) == whole
    assert page(cold, BOB, 7, 5) == page(talk.room, BOB, 7, 5)


# --- what a wait is for --------------------------------------------------------------------


def anything(room: Replica, label: str, after: int) -> bool:
    return Watch(room, label, after).anything()


def my_turn(room: Replica, label: str, after: int) -> bool:
    return Watch(room, label, after).my_turn()


async def test_a_sealed_envelope_ends_no_wait_of_those_who_cannot_open_it(talk: Talk) -> None:
    await talk.say("psst", to=["bob"])
    assert anything(talk.room, "bob", 3)
    assert not anything(talk.room, "carol", 3)
    await talk.say("hello")
    assert anything(talk.room, "carol", 3)


async def test_a_wait_looks_at_each_message_once(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a few waits before a heap of envelopes would stop the server at every ring."""
    for _ in range(PAGE_MESSAGES - 10):
        await talk.say("psst", to=["bob"])
    looked = []
    whole = Replica.messages_after

    def counting(room: Replica, message: int, limit: int) -> list[Message]:
        found = whole(room, message, limit)
        looked.extend(found)
        return found

    monkeypatch.setattr(Replica, "messages_after", counting)
    watch = Watch(talk.room, "carol", 3)
    for _ in range(5):
        assert not watch.anything()
        assert not watch.my_turn()
    assert len(looked) == PAGE_MESSAGES - 10
    await talk.say("hello")
    looked.clear()
    assert watch.anything()
    assert len(looked) == 1


async def test_who_is_more_than_a_page_behind_reads_before_it_waits(talk: Talk) -> None:
    for _ in range(PAGE_MESSAGES):
        await talk.say("psst", to=["bob"])
    assert not anything(talk.room, "carol", 3)
    await talk.say("psst", to=["bob"])
    assert anything(talk.room, "carol", 3)


async def test_nothing_new_is_nothing(talk: Talk) -> None:
    assert not anything(talk.room, "bob", 3)
    assert anything(talk.room, "bob", 2)


async def test_in_a_room_without_turns_it_is_ones_turn_when_another_has_spoken(talk: Talk) -> None:
    assert not my_turn(talk.room, "bob", 0)  # only the server has spoken
    await talk.say("mine", account="B")
    assert not my_turn(talk.room, "bob", 3)
    await talk.say("other")
    assert my_turn(talk.room, "bob", 4)
    assert not my_turn(talk.room, "bob", 5)


def referee(room: Replica, **what: object) -> None:
    """Fold a run of a referee without a sandbox."""
    out = what.pop("out", [])
    run = Run("judge", 0, "on_message", 0, "ok", out, **RECEIPT, **what)  # type: ignore[arg-type]
    draft = room.draft([(run, 0)])
    room.store.append(room.change(draft, [])).result()
    room.adopt(draft)
    room.settle_all()


async def test_a_turn_is_the_players_it_names(talk: Talk) -> None:
    referee(talk.room, turn={"players": ["bob"]})
    await talk.say("hurry up")
    assert my_turn(talk.room, "bob", talk.room.channel.messages)
    assert not my_turn(talk.room, "carol", 0)


async def test_a_whisper_ends_the_wait_of_those_it_is_for(talk: Talk) -> None:
    referee(talk.room, turn={"players": ["alice"]})
    await talk.say("psst", to=["bob"])
    assert my_turn(talk.room, "bob", 3)
    assert not my_turn(talk.room, "carol", 3)


async def test_the_end_of_the_game_ends_every_wait(talk: Talk) -> None:
    referee(talk.room, end={"winners": []})
    assert my_turn(talk.room, "carol", talk.room.channel.messages)


async def test_while_hooks_run_it_is_nobodys_turn(talk: Talk) -> None:
    referee(talk.room, turn={"players": ["bob"]})
    talk.room.settled = 0
    assert not my_turn(talk.room, "bob", 0)
