"""Every way in which a channel is changed or read, asked as the edge asks it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mcp_multiplayer.channel import decide, invite_codes
from mcp_multiplayer.channel.ops import read_ops
from mcp_multiplayer.errors import (
    BadMessage,
    BadOp,
    ChannelClosed,
    ChannelNotFound,
    InvalidRequest,
    InviteInvalid,
    MultiplayerError,
    NotMember,
    RateLimited,
    RejoinTokenInvalid,
    SeatAmbiguous,
    SlotAlreadyFilled,
    TermsChanged,
)
from mcp_multiplayer.service.channel_manager import ChannelManager, Joined
from mcp_multiplayer.service.messages import Page
from mcp_multiplayer.service.replica import Replica
from mcp_multiplayer.storage.base import Append, Row, Store, Table
from mcp_multiplayer.storage.commits import to_future
from mcp_multiplayer.storage.memory import MemoryStore
from tests.harness import (
    Clock,
    CountingStore,
    Mint,
    entries,
    flushed,
    leaves,
    manager,
    opened,
    turns,
    until,
    verified,
)

DEEP: dict[str, Any] = {}  #: as deep as a body may be, too deep for an entry of the log
for _ in range(31):
    DEEP = {"d": DEEP}
LONG = 1000.0  #: seconds nobody waits in these tests


async def table(channels: ChannelManager, *slots: str) -> str:
    """A room where A is alice and B is bob; messages 1 and 2 say so."""
    room, codes = await opened(channels, *slots)
    await channels.join_channel("A", codes["alice"])
    await channels.join_channel("B", codes["bob"])
    return room.channel_id


def ids(page: Page) -> list[int]:
    return [one.id for one in page.messages]


def texts(page: Page) -> list[Any]:
    return [one.body.get("text", one.body) for one in page.messages]


async def update(
    channels: ChannelManager, account: str, channel_id: str, *ops: dict[str, Any]
) -> dict[str, str]:
    done = await channels.update_channel(account, channel_id, read_ops(ops), bots={})
    return dict(done.invites)


# --- opening -------------------------------------------------------------------------------


async def test_opening_gives_one_code_for_each_seat_in_order(channels: ChannelManager) -> None:
    room, codes = await opened(channels, "invite:zoe", "bot:x", "invite:adam")
    assert list(codes) == ["zoe", "adam"]
    assert len(set(codes.values())) == 2
    assert all(code.startswith("inv_") for code in codes.values())
    assert room.channel_id.startswith("chn_")
    assert room.channel.origin == f"localhost/c/{room.channel_id}"


async def test_the_creator_may_take_a_seat_at_once(channels: ChannelManager) -> None:
    room, codes = await opened(channels, account="A", join_as="alice")
    assert list(codes) == ["bob"]
    joined = channels.own_seat(room, room.channel.seats[0])
    assert ids(joined.page) == [1]
    assert (await channels.join_channel("A2", joined.rejoin_token)).seat.slot.label == "alice"


async def test_a_room_that_was_refused_is_not_there(channels: ChannelManager) -> None:
    with pytest.raises(InvalidRequest, match="join_as"):
        await opened(channels, account="A", join_as="nobody")
    assert channels.rooms_of("A").rooms == ()


async def test_rooms_opened_at_the_same_moment_count_too(
    store: Store, clock: Clock, mint: Mint
) -> None:
    channels = manager(store, clock, mint, max_rooms_per_account=2)
    asked = [opened(channels, account="A") for _ in range(5)]
    done = await asyncio.gather(*asked, return_exceptions=True)
    assert [isinstance(one, RateLimited) for one in done] == [False, False, True, True, True]
    assert len(channels.rooms_of("A").rooms) == 2
    assert await opened(channels, account="B")


async def test_an_account_has_so_many_open_rooms_and_not_more(store: Store, clock: Clock) -> None:
    channels = manager(store, clock, Mint(), max_rooms_per_account=2)
    first, _ = await opened(channels, account="A")
    await opened(channels, account="A")
    with pytest.raises(RateLimited, match="2 open rooms"):
        await opened(channels, account="A")
    await opened(channels, account="B")
    await update(channels, "A", first.channel_id, {"op": "close"})
    await opened(channels, account="A")
    clock.advance(31 * 86_400)  # the others have been idle for long
    await opened(channels, account="A")


# --- inspecting and joining ----------------------------------------------------------------


@pytest.mark.parametrize("form", ["{}", "https://mp.example/join#{}", "  {} \n", "code: {}."])
async def test_a_code_may_come_in_a_link(channels: ChannelManager, form: str) -> None:
    _, codes = await opened(channels)
    text = form.format(codes["bob"])
    assert (await channels.inspect_invite("B", text))[1].label == "bob"
    assert channels.invited(text)[1].label == "bob"
    assert (await channels.join_channel("B", text)).seat.slot.label == "bob"


async def test_inspecting_uses_nothing_up(channels: ChannelManager) -> None:
    room, codes = await opened(channels)
    size = room.head.size
    for _ in range(3):
        _, _, terms = await channels.inspect_invite("B", codes["bob"])
    assert room.head.size == size
    assert await channels.join_channel("B", codes["bob"], expect_terms=terms)


async def test_joining_reads_the_room_from_its_first_message(channels: ChannelManager) -> None:
    room, codes = await opened(channels)
    await channels.join_channel("A", codes["alice"])
    for n in range(60):
        await channels.post_message("A", room.channel_id, f"{n}")
    joined = await channels.join_channel("B", codes["bob"])
    assert ids(joined.page) == list(range(1, 51))
    assert (joined.page.cursor, joined.page.more) == (50, True)


def answer(joined: Joined) -> tuple[str, str, Page]:
    return joined.seat.slot.label, joined.rejoin_token, joined.page


async def test_a_lost_answer_to_a_join_can_be_asked_for_again(channels: ChannelManager) -> None:
    _, codes = await opened(channels)
    first = await channels.join_channel("B", codes["bob"])
    assert ids(first.page) == [1]
    again = await channels.join_channel("B", codes["bob"])
    assert answer(again) == answer(first)


async def test_a_lost_answer_to_a_join_can_be_asked_for_again_after_a_restart(
    store: Store, clock: Clock, mint: Mint
) -> None:
    channels = manager(store, clock, mint)
    _, codes = await opened(channels)
    first = await channels.join_channel("B", codes["bob"])
    await flushed(channels)
    restarted = manager(store, clock, mint)
    assert answer(await restarted.join_channel("B", codes["bob"])) == answer(first)


async def test_a_lost_answer_to_coming_back_can_be_asked_for_again(
    channels: ChannelManager,
) -> None:
    room, codes = await opened(channels)
    token = (await channels.join_channel("B", codes["bob"])).rejoin_token
    await channels.sync_messages("B", room.channel_id, cursor=1, wait=0)
    await channels.join_channel("A", codes["alice"])
    for n in range(3):
        await channels.post_message("A", room.channel_id, f"{n}")
    first = await channels.join_channel("B2", token, limit=2)
    assert ids(first.page) == [2, 3]
    assert answer(await channels.join_channel("B2", token, limit=2)) == answer(first)
    await channels.sync_messages("B2", room.channel_id, cursor=3, limit=1, wait=0)
    assert ids((await channels.join_channel("B2", token)).page) == [5, 6]


@pytest.mark.parametrize("used", ["post", "sync"])
async def test_who_has_used_the_seat_comes_back_to_where_it_was(
    channels: ChannelManager, used: str
) -> None:
    room, codes = await opened(channels)
    first = await channels.join_channel("B", codes["bob"])
    if used == "post":
        await channels.post_message("B", room.channel_id, "hello")
    else:
        await channels.sync_messages("B", room.channel_id, cursor=first.page.cursor, wait=0)
    again = await channels.join_channel("B", codes["bob"])
    assert ids(again.page) == []
    assert again.page.cursor == first.page.cursor + (used == "post")


async def test_an_invite_seats_one_account(channels: ChannelManager) -> None:
    _, codes = await opened(channels)
    await channels.join_channel("B", codes["bob"])
    with pytest.raises(SlotAlreadyFilled):
        await channels.join_channel("C", codes["bob"])
    with pytest.raises(SlotAlreadyFilled):
        await channels.inspect_invite("C", codes["bob"])


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("inv_" + "a" * 24, InviteInvalid),
        ("rejoin_" + "a" * 43, RejoinTokenInvalid),
        ("hello", InviteInvalid),
        ("", InviteInvalid),
        ("\ud800", InviteInvalid),
    ],
)
async def test_a_code_that_is_none_is_refused(
    channels: ChannelManager, text: str, refusal: type[MultiplayerError]
) -> None:
    await opened(channels)
    with pytest.raises(refusal):
        await channels.join_channel("B", text)
    with pytest.raises(refusal):
        await channels.inspect_invite("B", text)


async def test_an_expired_invite_is_refused(channels: ChannelManager, clock: Clock) -> None:
    _, codes = await opened(channels)
    clock.advance(7 * 86_400 + 1)
    with pytest.raises(InviteInvalid, match="expired"):
        await channels.join_channel("B", codes["bob"])


async def test_who_inspected_other_terms_must_look_again(channels: ChannelManager) -> None:
    room, codes = await opened(channels)
    await channels.inspect_invite("B", codes["bob"])
    await update(
        channels, "host", room.channel_id, {"op": "set_admin", "player_id": "bob", "admin": True}
    )
    with pytest.raises(TermsChanged, match="slots changed"):
        await channels.join_channel("B", codes["bob"])
    await channels.inspect_invite("B", codes["bob"])
    assert await channels.join_channel("B", codes["bob"])


async def test_what_one_account_inspected_does_not_bind_another(channels: ChannelManager) -> None:
    room, codes = await opened(channels)
    await channels.inspect_invite("C", codes["bob"])
    await update(
        channels, "host", room.channel_id, {"op": "set_admin", "player_id": "bob", "admin": True}
    )
    assert await channels.join_channel("B", codes["bob"])


async def test_reading_a_source_by_an_invite_is_not_inspecting_it(channels: ChannelManager) -> None:
    room, codes = await opened(channels)
    await channels.inspect_invite("B", codes["bob"])
    await update(
        channels, "host", room.channel_id, {"op": "set_admin", "player_id": "bob", "admin": True}
    )
    assert channels.look_at_invite("B", codes["bob"])[1].label == "bob"
    with pytest.raises(TermsChanged, match="slots changed"):
        await channels.join_channel("B", codes["bob"])


async def test_who_lost_the_seat_while_its_referee_was_busy_gets_no_token_of_the_next(
    channels: ChannelManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, codes = await opened(channels, "invite:alice:admin", "invite:bob")
    await channels.join_channel("A", codes["alice"])
    asked, handled = asyncio.Event(), asyncio.Event()

    async def busy(room: Replica, size: int | None = None) -> bool:
        asked.set()
        return await handled.wait()

    with monkeypatch.context() as slow:
        slow.setattr(channels, "_handled", busy)
        late = asyncio.create_task(channels.join_channel("B", codes["bob"]))
        await asked.wait()
    fresh = await update(channels, "A", room.channel_id, {"op": "yield_slot", "player_id": "bob"})
    await channels.join_channel("C", fresh["bob"])
    handled.set()
    with pytest.raises(NotMember):
        await late


async def test_a_voided_rejoin_token_shows_nothing_even_if_it_was_kept(
    channels: ChannelManager, store: Store
) -> None:
    room, codes = await opened(channels, "invite:alice:admin", "invite:bob")
    await channels.join_channel("A", codes["alice"])
    token = (await channels.join_channel("B", codes["bob"])).rejoin_token
    (kept,) = store.find(Table.TOKEN, invite_codes.digest(token))
    await channels.leave_channel("B", room.channel_id, None)
    row = Row(Table.TOKEN, room.channel_id, invite_codes.digest(token), kept[1])
    await to_future(store.append(Append(room.channel_id, 0, b"", (), [row], unconditional=True)))
    for ask in (channels.join_channel, channels.inspect_invite):
        with pytest.raises(RejoinTokenInvalid):
            await ask("B", token)


# --- seats ---------------------------------------------------------------------------------


async def same_refusal(*calls: Any) -> None:
    told = set()
    for call in calls:
        with pytest.raises(NotMember) as refused:
            await call
        told.add((str(refused.value), refused.value.hint))
    assert told == {(decide.STRANGER, NotMember.hint)}


async def test_a_stranger_cannot_tell_a_room_from_no_room(channels: ChannelManager) -> None:
    channel_id = await table(channels)
    for it in (channel_id, "chn_nowhere"):
        await same_refusal(
            channels.post_message("eve", it, "hi"),
            channels.post_message("eve", it, "hi", seat="alice"),
            channels.sync_messages("eve", it, wait=0),
            channels.sync_messages("eve", it, wait=0, seat="nobody"),
            channels.leave_channel("eve", it, None),
            channels.update_channel("eve", it, read_ops([{"op": "start"}]), bots={}),
        )
        with pytest.raises(NotMember, match=decide.STRANGER):
            channels.look(it, "eve")


@pytest.mark.parametrize("channel_id", ["", "x", "chn_", "chn_a b", "chn_é", "inv_a", "\ud800"])
async def test_what_is_not_a_channel_id_is_called_so(
    channels: ChannelManager, channel_id: str
) -> None:
    with pytest.raises(ChannelNotFound) as refused:
        await channels.post_message("A", channel_id, "hi")
    str(refused.value).encode()


async def test_two_conversations_of_one_person_may_play_two_seats(
    channels: ChannelManager,
) -> None:
    room, codes = await opened(channels)
    for label in ("alice", "bob"):
        await channels.join_channel("A", codes[label])
    with pytest.raises(SeatAmbiguous):
        await channels.post_message("A", room.channel_id, "who am I?")
    posted = await channels.post_message("A", room.channel_id, "bob", seat="bob")
    assert posted.seat.slot.label == "bob"
    synced = await channels.sync_messages("A", room.channel_id, seat="alice", cursor=2, wait=0)
    assert [one.sender for one in synced.page.messages] == ["bob"]


async def test_rooms_are_listed_for_creator_and_members_only(channels: ChannelManager) -> None:
    channel_id = await table(channels)
    assert [room.channel_id for room, _ in channels.rooms_of("host").rooms] == [channel_id]
    ((_, seats),) = channels.rooms_of("B").rooms
    assert [seat.label for seat in seats] == ["bob"]
    assert channels.rooms_of("eve").rooms == ()
    await channels.leave_channel("B", channel_id, None)
    assert channels.rooms_of("B").rooms == ()


# --- takeover ------------------------------------------------------------------------------


async def test_a_rejoin_token_moves_the_seat_and_tells_everybody(channels: ChannelManager) -> None:
    room, codes = await opened(channels)
    token = (await channels.join_channel("B", codes["bob"])).rejoin_token
    await channels.post_message("B", room.channel_id, "mine")
    back = await channels.join_channel("B2", token)
    assert back.rejoin_token == token
    assert [one.body.get("type") for one in back.page.messages] == ["taken_over"]
    await same_refusal(
        channels.post_message("B", room.channel_id, "still me"),
        channels.sync_messages("B", room.channel_id, wait=0),
        channels.sync_messages("B", room.channel_id, seat="bob", wait=0),
    )
    assert channels.rooms_of("B").rooms == ()
    assert (await channels.post_message("B2", room.channel_id, "me now")).seat.slot.label == "bob"


async def test_the_same_account_with_its_own_token_changes_nothing(
    channels: ChannelManager,
) -> None:
    room, codes = await opened(channels)
    token = (await channels.join_channel("B", codes["bob"])).rejoin_token
    size = room.head.size
    assert (await channels.join_channel("B", token)).rejoin_token == token
    assert room.head.size == size


@pytest.mark.parametrize("call", ["sync", "post"])
async def test_who_loses_the_seat_while_waiting_reads_nothing_more(
    channels: ChannelManager, call: str
) -> None:
    room, codes = await opened(channels)
    await channels.join_channel("A", codes["alice"])
    token = (await channels.join_channel("B", codes["bob"])).rejoin_token
    waiting: asyncio.Task[Any] = asyncio.create_task(
        channels.sync_messages("B", room.channel_id, cursor=2, wait=LONG, until_my_turn=True)
        if call == "sync"
        else channels.post_message("B", room.channel_id, "hi", wait=LONG)
    )
    await until(lambda: len(room.notifier) == 1)
    await channels.join_channel("B2", token)
    await channels.post_message("A", room.channel_id, "for the new bob", to=["bob"])
    with pytest.raises(NotMember, match=decide.STRANGER):
        await waiting


async def test_who_loses_one_of_two_seats_while_waiting_does_not_read_for_the_other(
    channels: ChannelManager,
) -> None:
    room, codes = await opened(channels)
    token = (await channels.join_channel("B", codes["bob"])).rejoin_token
    waiting = asyncio.create_task(
        channels.sync_messages("B", room.channel_id, cursor=1, wait=LONG, until_my_turn=True)
    )
    await until(lambda: len(room.notifier) == 1)
    await channels.join_channel("B", codes["alice"])
    await channels.join_channel("B2", token)
    await channels.post_message("B2", room.channel_id, "hello", to=["bob"])
    with pytest.raises(NotMember, match="do not hold that seat"):
        await waiting


async def test_the_token_of_a_seat_that_was_left_is_dead(channels: ChannelManager) -> None:
    room, codes = await opened(channels)
    token = (await channels.join_channel("B", codes["bob"])).rejoin_token
    await channels.leave_channel("B", room.channel_id, None)
    for text, refusal in ((token, RejoinTokenInvalid), (codes["bob"], InviteInvalid)):
        with pytest.raises(refusal):
            await channels.join_channel("B", text)


# --- a seat's next occupant ----------------------------------------------------------------


async def reseated(channels: ChannelManager) -> tuple[str, Joined]:
    """B was bob and read everything; the creator's fresh invite makes C bob."""
    channel_id = await table(channels)
    await channels.post_message("A", channel_id, "for the first bob", to=["bob"])
    for n in range(70):
        await channels.post_message("B", channel_id, f"{n}", idempotency_key=f"{n}")
    await channels.leave_channel("B", channel_id, None)
    codes = await update(channels, "host", channel_id, {"op": "reissue_invite", "player_id": "bob"})
    return channel_id, await channels.join_channel("C", codes["bob"])


async def test_the_next_occupant_reads_from_the_first_message_on(channels: ChannelManager) -> None:
    channel_id, joined = await reseated(channels)
    assert ids(joined.page) == list(range(1, 51))
    posted = await channels.post_message("C", channel_id, "go on", limit=500)
    assert ids(posted.page) == list(range(51, posted.msg_id))


async def test_the_next_occupant_reads_no_whispers_to_the_last_one(
    channels: ChannelManager,
) -> None:
    channel_id, joined = await reseated(channels)
    for page in (
        joined.page,
        (await channels.sync_messages("C", channel_id, cursor=0, wait=0)).page,
        (await channels.sync_messages("C", channel_id, limit=500)).page,
        (await channels.post_message("C", channel_id, "hi", cursor=0)).page,
    ):
        assert "for the first bob" not in str(page)
    await channels.post_message("A", channel_id, "for the second bob", to=["bob"])
    assert "for the second bob" in str((await channels.sync_messages("C", channel_id)).page)


async def test_the_next_occupants_posts_are_not_taken_for_the_last_ones(
    channels: ChannelManager,
) -> None:
    channel_id, _ = await reseated(channels)
    newest = channels.room(channel_id).channel.messages
    posted = await channels.post_message("C", channel_id, "0", idempotency_key="0")
    assert posted.msg_id == newest + 1


# --- changing ------------------------------------------------------------------------------


async def test_a_reissued_invite_replaces_the_old_one(channels: ChannelManager) -> None:
    room, codes = await opened(channels)
    fresh = await update(
        channels, "host", room.channel_id, {"op": "reissue_invite", "player_id": "bob"}
    )
    with pytest.raises(InviteInvalid):
        await channels.join_channel("B", codes["bob"])
    assert (await channels.join_channel("B", fresh["bob"])).seat.slot.label == "bob"


async def test_yielding_makes_a_fresh_invite_and_voids_the_token(channels: ChannelManager) -> None:
    room, codes = await opened(channels, "invite:alice:admin", "invite:bob")
    await channels.join_channel("A", codes["alice"])
    token = (await channels.join_channel("B", codes["bob"])).rejoin_token
    fresh = await update(channels, "A", room.channel_id, {"op": "yield_slot", "player_id": "bob"})
    for account in ("B", "B2"):
        with pytest.raises(RejoinTokenInvalid):
            await channels.join_channel(account, token)
    joined = await channels.join_channel("C", fresh["bob"])
    assert joined.rejoin_token != token
    assert (await channels.join_channel("C2", joined.rejoin_token)).seat.slot.label == "bob"


async def test_refused_ops_leave_no_code_behind(channels: ChannelManager) -> None:
    room, codes = await opened(channels)
    await channels.join_channel("B", codes["bob"])
    kept = channels.store.scan(Table.TOKEN, room.channel_id)
    with pytest.raises(BadOp):
        await update(
            channels, "host", room.channel_id, {"op": "reissue_invite", "player_id": "bob"}
        )
    assert channels.store.scan(Table.TOKEN, room.channel_id) == kept


async def test_only_what_waits_for_consent_is_said_to_wait(channels: ChannelManager) -> None:
    channel_id = await table(channels, "invite:alice:admin", "invite:bob")
    grant = {"op": "set_admin", "player_id": "bob", "admin": True}

    async def proposed(account: str, *ops: dict[str, Any]) -> bool:
        done = await channels.update_channel(account, channel_id, read_ops(ops), bots={})
        return done.proposed

    assert await proposed("A", grant)
    assert not await proposed("A", {"op": "rename", "name": "other"})
    terms = channels.room(channel_id).channel.proposal
    assert terms
    assert not await proposed("B", {"op": "accept_change", "terms": terms.terms})
    assert channels.room(channel_id).channel.seats[1].admin


async def test_a_closed_room_can_be_read_and_nothing_more(channels: ChannelManager) -> None:
    channel_id = await table(channels, "invite:alice:admin", "invite:bob")
    await update(channels, "A", channel_id, {"op": "close"})
    with pytest.raises(ChannelClosed):
        await channels.post_message("B", channel_id, "hi")
    synced = await channels.sync_messages("B", channel_id, cursor=0, wait=0)
    assert ids(synced.page) == [1, 2, 3]


# --- posting -------------------------------------------------------------------------------


async def test_a_post_returns_what_was_missed_but_not_itself(channels: ChannelManager) -> None:
    channel_id = await table(channels)
    await channels.post_message("A", channel_id, "one")
    await channels.post_message("A", channel_id, "two")
    posted = await channels.post_message("B", channel_id, "three")
    assert (posted.msg_id, texts(posted.page)[-2:]) == (5, ["one", "two"])
    assert (posted.page.cursor, posted.page.more, posted.pending) == (5, False, False)
    posted = await channels.post_message("B", channel_id, "four")
    assert ids(posted.page) == []


async def test_with_a_cursor_everything_above_it_is_given_again(channels: ChannelManager) -> None:
    channel_id = await table(channels)
    await channels.post_message("A", channel_id, "one")
    for cursor in (3, 2, 0):
        posted = await channels.post_message("B", channel_id, "x", cursor=cursor)
        assert ids(posted.page) == [n for n in range(cursor + 1, posted.msg_id)]


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize(
    "how",
    [{"cursor": 2}, {"idempotency_key": "k"}, {"cursor": 2, "idempotency_key": "k"}],
    ids=["cursor", "key", "both"],
)
async def test_a_repeated_post_is_the_same_post_with_the_same_answer(
    store: Store, clock: Clock, mint: Mint, restart: bool, how: dict[str, Any]
) -> None:
    channels = manager(store, clock, mint)
    channel_id = await table(channels)
    await channels.post_message("A", channel_id, "missed")
    first = await channels.post_message("B", channel_id, {"move": 1.0}, **how)
    if restart:
        await flushed(channels)
        channels = manager(store, clock, mint)
    again = await channels.post_message("B", channel_id, {"move": 1}, **how)
    assert (again.msg_id, again.ts, again.page) == (first.msg_id, first.ts, first.page)
    assert "missed" in texts(again.page)
    assert len(entries(store, channel_id, "msg")) == 2
    await channels.lines.finish()


async def test_another_body_cursor_or_key_is_another_post(channels: ChannelManager) -> None:
    channel_id = await table(channels)
    calls: list[dict[str, Any]] = [
        {"body": "x", "cursor": 2},
        {"body": "y", "cursor": 2},
        {"body": "x", "cursor": 1},
        {"body": "x", "cursor": 2, "kind": "move"},
        {"body": "x", "cursor": 2, "to": ["alice"]},
        {"body": "x", "cursor": 2, "idempotency_key": "k"},
        {"body": "x", "idempotency_key": "k2"},
        {"body": "x"},
        {"body": "x"},
    ]
    made = [await channels.post_message("B", channel_id, **call) for call in calls]
    assert [post.msg_id for post in made] == list(range(3, 12))


async def test_a_cursor_above_the_newest_message_is_refused(channels: ChannelManager) -> None:
    channel_id = await table(channels)
    for cursor in (3, -1):
        with pytest.raises(InvalidRequest):
            await channels.post_message("B", channel_id, "x", cursor=cursor)
        with pytest.raises(InvalidRequest):
            await channels.sync_messages("B", channel_id, cursor=cursor, wait=0)
    assert entries(channels.store, channel_id, "msg") == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"body": {"s": "\ud800"}},
        {"body": "x", "kind": "\ud800"},
        {"body": "x", "to": ["\ud800"]},
        {"body": {"n": float("nan")}},
        {"body": DEEP},
    ],
    ids=["surrogate", "surrogate kind", "surrogate addressee", "nan", "deep"],
)
@pytest.mark.parametrize("cursor", [None, 2])
async def test_what_cannot_be_written_down_is_refused_in_words(
    channels: ChannelManager, wrong: dict[str, Any], cursor: int | None
) -> None:
    channel_id = await table(channels)
    with pytest.raises(BadMessage) as refused:
        await channels.post_message("B", channel_id, cursor=cursor, **wrong)
    str(refused.value).encode()
    assert entries(channels.store, channel_id, "msg") == []


async def test_an_odd_key_is_a_key_like_any_other(channels: ChannelManager) -> None:
    channel_id = await table(channels)
    made = {
        (await channels.post_message("B", channel_id, "x", idempotency_key="\ud800")).msg_id
        for _ in range(2)
    }
    assert made == {3}


async def test_a_live_code_of_any_room_is_kept_out_of_every_room(channels: ChannelManager) -> None:
    channel_id = await table(channels)
    _, codes = await opened(channels)
    token = (await channels.join_channel("C", codes["bob"])).rejoin_token
    for secret in (codes["alice"], token):
        with pytest.raises(BadMessage, match="secret"):
            await channels.post_message("A", channel_id, {"a": [f"see {secret}"]}, to=["bob"])


async def test_no_account_and_no_code_is_in_clear_in_log_or_rows(
    channels: ChannelManager,
) -> None:
    room, codes = await opened(channels, account="account-host")
    joined = await channels.join_channel("account-bob", codes["bob"])
    await channels.post_message("account-bob", room.channel_id, "psst", to=["alice"])
    log = b"".join(leaf.data or b"" for leaf in leaves(channels.store, room.channel_id))
    for secret in (*codes.values(), joined.rejoin_token, "account-", "psst"):
        assert secret.encode() not in log
    for kind in Table:
        for key, value in channels.store.scan(kind, room.channel_id):
            for secret in (*codes.values(), joined.rejoin_token):
                assert secret not in key
                assert secret.encode() not in value
    verified(channels.store, room.channel_id)


async def test_a_whisper_reaches_sender_and_addressee_alone(channels: ChannelManager) -> None:
    room, codes = await opened(channels, "invite:alice", "invite:bob", "invite:carol")
    for account, label in (("A", "alice"), ("B", "bob"), ("C", "carol")):
        await channels.join_channel(account, codes[label])
    await channels.post_message("A", room.channel_id, "psst", to=["bob"])
    for account, sees in (("A", True), ("B", True), ("C", False)):
        synced = await channels.sync_messages(account, room.channel_id, cursor=3, wait=0)
        (one,) = synced.page.messages
        assert (one.body == {"text": "psst"}) == sees
        assert (one.sender, one.kind, one.to) == ("alice", "user", ("bob",))


# --- reading -------------------------------------------------------------------------------


async def test_reading_on_gives_everything_once(channels: ChannelManager) -> None:
    channel_id = await table(channels)
    for n in range(120):
        await channels.post_message("A", channel_id, f"{n}")
    seen, cursor, more = [], 0, True
    while more:
        synced = await channels.sync_messages("B", channel_id, cursor=cursor, limit=7, wait=0)
        seen += ids(synced.page)
        cursor, more = synced.page.cursor, synced.page.more
    assert seen == list(range(1, 123))


async def test_without_a_cursor_the_newest_page_comes_at_once(channels: ChannelManager) -> None:
    channel_id = await table(channels)
    for n in range(60):
        await channels.post_message("A", channel_id, f"{n}")
    synced = await channels.sync_messages("B", channel_id, limit=10)
    assert ids(synced.page) == list(range(53, 63))
    assert channels.unread(synced.seat) == 0


async def test_a_long_poll_returns_the_moment_something_is_said(channels: ChannelManager) -> None:
    channel_id = await table(channels)
    room = channels.room(channel_id)
    waiting = asyncio.create_task(channels.sync_messages("B", channel_id, cursor=2, wait=LONG))
    await until(lambda: len(room.notifier) == 1)
    assert not waiting.done()
    await channels.post_message("A", channel_id, "hello")
    synced = await waiting
    assert texts(synced.page) == ["hello"]
    assert (synced.page.cursor, synced.empty_waits) == (3, 0)


async def test_a_long_poll_sleeps_through_what_it_cannot_read(channels: ChannelManager) -> None:
    room, codes = await opened(channels, "invite:alice", "invite:bob", "invite:carol")
    for account, label in (("A", "alice"), ("B", "bob"), ("C", "carol")):
        await channels.join_channel(account, codes[label])
    waiting = asyncio.create_task(channels.sync_messages("C", room.channel_id, cursor=3, wait=LONG))
    await until(lambda: len(room.notifier) == 1)
    await channels.post_message("A", room.channel_id, "psst", to=["bob"])
    await turns()
    assert not waiting.done()
    await channels.post_message("A", room.channel_id, "hello")
    assert ids((await waiting).page) == [4, 5]


async def test_empty_waits_are_counted_until_something_comes(channels: ChannelManager) -> None:
    channel_id = await table(channels)
    for count in (1, 2, 3):
        synced = await channels.sync_messages("B", channel_id, cursor=2, wait=0.001)
        assert (ids(synced.page), synced.empty_waits) == ([], count)
    await channels.post_message("A", channel_id, "x")
    synced = await channels.sync_messages("B", channel_id, cursor=2, wait=0.001)
    assert synced.empty_waits == 0
    synced = await channels.sync_messages("B", channel_id, cursor=3, wait=0)
    assert synced.empty_waits == 0


async def test_waiting_for_the_turn_in_a_room_without_one_ends_when_another_speaks(
    channels: ChannelManager,
) -> None:
    channel_id = await table(channels)
    room = channels.room(channel_id)
    waiting = asyncio.create_task(channels.post_message("B", channel_id, "ping", wait=LONG))
    await until(lambda: len(room.notifier) == 1)
    await channels.post_message("A", channel_id, "pong")
    assert texts((await waiting).page)[-1] == "pong"


async def test_nobody_waits_longer_than_the_longest_wait(
    channels: ChannelManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_multiplayer.service.channel_manager.LONGEST_WAIT", 0.001)
    channel_id = await table(channels)
    synced = await channels.sync_messages("B", channel_id, cursor=2, wait=1e9)
    assert ids(synced.page) == []
    posted = await channels.post_message("B", channel_id, "x", wait=1e9)
    assert not posted.pending


async def test_a_wrong_cursor_is_refused_before_the_wait(channels: ChannelManager) -> None:
    channel_id = await table(channels)
    with pytest.raises(InvalidRequest):
        await channels.sync_messages("B", channel_id, cursor=9, wait=LONG)


async def test_unread_is_what_lies_above_the_highest_cursor(channels: ChannelManager) -> None:
    channel_id = await table(channels)
    seat = channels.seat(channel_id, "B", None)
    for _ in range(3):
        await channels.post_message("A", channel_id, "x")
    assert channels.unread(seat) == 3
    await channels.sync_messages("B", channel_id, cursor=2, limit=2, wait=0)
    assert channels.unread(seat) == 1
    await channels.sync_messages("B", channel_id, cursor=0, limit=1, wait=0)
    assert channels.unread(seat) == 1


# --- restarts and cost ---------------------------------------------------------------------


async def test_everything_is_as_it_was_after_a_restart(
    store: Store, clock: Clock, mint: Mint
) -> None:
    channels = manager(store, clock, mint)
    channel_id = await table(channels)
    await channels.post_message("A", channel_id, "psst", to=["bob"])
    await channels.sync_messages("B", channel_id, cursor=2, wait=0)
    await flushed(channels)
    restarted = manager(store, clock, mint)
    seat = restarted.seat(channel_id, "B", None)
    assert restarted.unread(seat) == 0
    synced = await restarted.sync_messages("B", channel_id, cursor=2, wait=0)
    assert texts(synced.page) == ["psst"]
    assert (await restarted.post_message("A", channel_id, "on we go")).msg_id == 4
    verified(store, channel_id)
    await restarted.lines.finish()


async def test_closing_writes_down_how_far_everybody_has_read(clock: Clock, mint: Mint) -> None:
    store = MemoryStore()
    channels = manager(store, clock, mint)
    channel_id = await table(channels)
    await channels.post_message("A", channel_id, "x")
    await channels.close()
    assert store.get(Table.MARK, channel_id, "s0") == b"3"


async def test_rooms_that_nobody_uses_are_dropped_from_memory(
    channels: ChannelManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_multiplayer.service.channels.ROOMS", 3)
    made = [await table(channels) for _ in range(3)]
    waited = channels.room(made[0])
    waiting = asyncio.create_task(channels.sync_messages("A", made[0], cursor=2, wait=LONG))
    await until(lambda: len(waited.notifier) == 1)
    channels.flush_marks()
    others = [await table(channels) for _ in range(3)]
    assert channels.room(made[0]) is waited
    assert (await channels.post_message("B", made[1], "still here")).msg_id == 3
    await channels.post_message("B", made[0], "wake up")
    assert texts((await waiting).page) == ["wake up"]
    assert others


async def cost(messages: int) -> dict[str, tuple[int, int]]:
    """Calls to the store and leaves read by each operation in a room of this length."""
    store = CountingStore(MemoryStore())
    channels = manager(store, Clock(), Mint())
    channel_id = await table(channels)
    for start in range(0, messages, 200):
        count = min(200, messages - start)
        await asyncio.gather(
            *(channels.post_message("A", channel_id, "x", limit=1) for _ in range(count))
        )
    newest = channels.room(channel_id).channel.messages
    spent = {}

    async def measure(name: str, call: Any) -> None:
        store.calls = store.leaves_read = 0
        await call
        spent[name] = (store.calls, store.leaves_read)

    await measure("post", channels.post_message("B", channel_id, "x", cursor=newest))
    await measure("sync", channels.sync_messages("B", channel_id, cursor=newest, wait=0))
    await measure("newest", channels.sync_messages("B", channel_id, limit=10))
    await measure("whisper", channels.post_message("A", channel_id, "x", to=["bob"], cursor=newest))
    await channels.lines.finish()
    return spent


async def test_posting_and_reading_cost_the_same_however_long_the_room_is() -> None:
    assert await cost(10) == await cost(5_000)


@pytest.mark.long
async def test_posting_and_reading_cost_the_same_in_a_hundred_thousand_messages() -> None:
    assert await cost(10) == await cost(100_000)


async def test_a_cold_start_of_a_long_room_reads_only_its_end(clock: Clock) -> None:
    store = CountingStore(MemoryStore())
    channels = manager(store, clock, Mint())
    channel_id = await table(channels)
    for _ in range(20):
        await asyncio.gather(
            *(channels.post_message("A", channel_id, "x", limit=1) for _ in range(150))
        )
    store.leaves_read = 0
    room = Replica.load(store, channel_id)
    assert room
    assert room.channel.messages == 3002
    assert store.leaves_read <= 256 + 150  # a batch may bring the snapshot late
