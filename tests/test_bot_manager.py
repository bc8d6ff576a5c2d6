"""Referees hear the log: most of it by script, the heart of it in the real sandbox."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from mcp_multiplayer.channel.ops import read_ops
from mcp_multiplayer.errors import (
    BotNotFound,
    BotRejected,
    HeadMoved,
    InvalidRequest,
    RateLimited,
    Unavailable,
)
from mcp_multiplayer.sandbox.call import Failed, Finished, HookCall, HookResult, Said, Turn
from mcp_multiplayer.sandbox.host.fair_queue import SERVER, Owner
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.sandbox.runtime import runtime
from mcp_multiplayer.service import bot_output
from mcp_multiplayer.service.bot_manager import BotManager, BotSpec, default_slots
from mcp_multiplayer.service.channel_manager import ChannelManager
from mcp_multiplayer.service.replica import Replica
from mcp_multiplayer.storage.base import Append, Row, Store, Table
from mcp_multiplayer.storage.memory import MemoryStore
from mcp_multiplayer.transcript.canonical_json import canonical
from tests.harness import (
    BOTS_DIR,
    Clock,
    CountingStore,
    Hook,
    House,
    Mint,
    entries,
    manager,
    opened,
    quiet,
    turns,
    until,
    verified,
)


def says(text: str, **more: Any) -> Hook:
    """A hook that posts one thing."""
    return lambda call: Finished(said=(Said("bot", {"text": text}),), **more)


def echo(call: HookCall) -> HookResult:
    """Answers with what it heard, and counts."""
    (message,) = call.args
    heard = {"text": f"heard {message['body'].get('text', message['body'])}"}
    return Finished(said=(Said("bot", heard),), state={"n": call.state.get("n", 0) + 1})


async def read(house: House, room: Replica, account: str = "A") -> list[tuple[str, Any]]:
    """Sender and text or type of everything, as this account sees it."""
    synced = await house.channels.sync_messages(
        account, room.channel_id, cursor=0, wait=0, limit=500
    )
    return [
        (one.sender, one.body.get("text") or one.body.get("type") or one.body)
        for one in synced.page.messages
    ]


async def bot_said(house: House, room: Replica, account: str = "A") -> list[Any]:
    return [what for sender, what in await read(house, room, account) if sender.startswith("bot:")]


# --- attaching -----------------------------------------------------------------------------


async def test_a_referee_is_announced_in_three_messages_and_then_starts(house: House) -> None:
    room = await house.room(house.pool.script("Judge", on_init=says("ready")))
    assert (await read(house, room))[:4] == [
        ("system", "bots_announced"),
        ("system", "bot:attach"),
        ("system", "bot:manifest"),
        ("bot:judge", "ready"),
    ]
    (it,) = room.channel.bots
    assert it.code_hash == "sha256:" + hashlib.sha256(b"Judge").hexdigest()
    assert room.source(it.code_hash) == "Judge"


async def test_the_walls_around_a_referee_are_said_beside_its_manifest(house: House) -> None:
    room = await house.room(house.pool.script("Judge", on_init=says("ready")))
    page = (await house.channels.sync_messages("A", room.channel_id, cursor=0, wait=0)).page
    (said,) = [one.body for one in page.messages if one.body.get("type") == "bot:manifest"]
    assert said["isolation"] == house.pool.isolation.level
    assert "isolation" not in said["manifest"]
    (it,) = room.channel.bots
    canon = canonical(said["manifest"])
    assert it.manifest_hash == "sha256:" + hashlib.sha256(canon).hexdigest()


async def test_whoever_speaks_the_creator_pays_also_after_a_restart(house: House) -> None:
    """A guest in the room of a referee that spins is not charged for it."""
    script = house.pool.script("Echo", on_message=echo)
    room = await house.room(script, account="host", network="of the host")
    await house.channels.post_message("B", room.channel_id, "before")
    house.start()
    await house.channels.post_message("B", room.channel_id, "after")
    assert house.pool.owners == 2 * [Owner("host", "of the host")]


async def test_the_creators_own_seat_changes_nothing_of_who_pays(house: House) -> None:
    script = house.pool.script("Echo", on_message=echo)
    room = await house.room(script, account="A", network="of A")
    house.start()
    await house.channels.post_message("A", room.channel_id, "hello")
    assert house.pool.owners == [Owner("A", "of A")]


async def test_a_room_whose_creator_is_not_on_record_is_not_the_servers(house: House) -> None:
    script = house.pool.script("Echo", on_message=echo)
    room = await house.room(script, account="host")
    gone = Row(Table.ACCOUNT, room.channel_id, "host", None)
    change = Append(room.channel_id, 0, b"", (), [gone], unconditional=True)
    await asyncio.wrap_future(house.store.append(change))
    house.start()
    await house.channels.post_message("A", room.channel_id, "hello")
    assert house.pool.owners != [SERVER]


async def test_a_text_is_announced_and_never_run(house: House) -> None:
    room = await house.room("Whoever lies owes a round.")
    await house.channels.post_message("A", room.channel_id, "I never lie")
    assert house.pool.calls == []
    assert [it.hooks for it in room.channel.bots] == [()]
    assert (await read(house, room))[0] == ("system", "bots_announced")


@pytest.mark.parametrize(
    "spec",
    [
        BotSpec(),
        BotSpec(preset="GuessBot", code="x"),
        BotSpec(code="x", params={"n": 2**53}),
        BotSpec(code="x", manifest={"n": float("nan")}),
        BotSpec(code="x", name="two\nlines"),
        BotSpec(code="x", name="\ud800"),
    ],
    ids=["neither", "both", "number", "nan", "name", "surrogate"],
)
async def test_what_is_no_referee_is_refused(house: House, spec: BotSpec) -> None:
    with pytest.raises(InvalidRequest):
        await house.bots.prepare(spec)


@pytest.mark.parametrize("name", ["Nobody", "NobodyBot", "../GuessBot", "guess_bot", "", "Bot"])
async def test_a_preset_that_is_not_shipped_is_not_found(house: House, name: str) -> None:
    with pytest.raises(BotNotFound):
        await house.bots.prepare(BotSpec(preset=name))


async def test_a_preset_may_be_named_as_a_reference(house: House) -> None:
    for name in ("GuessBot", "builtin://GuessBot"):
        bot = await house.bots.prepare(BotSpec(preset=name))
        assert bot.new.ref == "builtin://GuessBot"
        assert bot.source == (BOTS_DIR / "guess_bot.py").read_text()


async def test_a_server_may_run_shipped_referees_only(house: House) -> None:
    bots = BotManager(house.channels.custody, house.bots.pool, bots_dir=BOTS_DIR, inline=False)
    with pytest.raises(BotRejected, match="shipped"):
        await bots.prepare(BotSpec(code="class A: pass"))
    assert await bots.prepare(BotSpec(preset="GuessBot"))


@pytest.mark.parametrize(
    ("seats", "slots"),
    [
        (None, ["bot:judge", "invite:alice", "invite:bob"]),
        (3, ["bot:judge", "invite:alice", "invite:bob", "invite:carol"]),
        (["x", "y:admin"], ["bot:judge", "invite:x", "invite:y:admin"]),
        (0, ["bot:judge", "invite:alice", "invite:bob"]),
        (10_000, ["bot:judge", "invite:alice", "invite:bob"]),
        ([1], ["bot:judge", "invite:alice", "invite:bob"]),
    ],
)
async def test_a_room_has_the_seats_that_its_referee_asks_for(
    house: House, seats: Any, slots: list[str]
) -> None:
    bot = await house.bot(house.pool.script("Judge"), manifest={"seats": seats} if seats else None)
    assert default_slots(bot) == slots


async def test_a_referees_id_is_a_label_whatever_its_name(house: House) -> None:
    for name, label in (("PriceBot", "price-bot"), ("Ünïcode", "referee"), ("x" * 90, "x" * 32)):
        assert (await house.bot("text", name=name)).new.label == label


# --- which hooks are called ----------------------------------------------------------------

ALL: dict[str, Hook] = dict.fromkeys(
    ["on_init", "on_join", "on_start", "on_message", "on_leave"], quiet
)


async def test_hooks_come_in_the_order_of_what_happened(house: House) -> None:
    room = await house.room(house.pool.script("Judge", **ALL))
    await house.channels.post_message("A", room.channel_id, "hello")
    await house.channels.leave_channel("B", room.channel_id, None)
    assert house.pool.heard() == [
        "on_init",
        "on_join alice",
        "on_join bob",
        "on_start",
        "on_message hello",
        "on_leave bob",
    ]


async def test_each_hook_is_told_who_sat_there_when_it_happened(house: House) -> None:
    room = await house.room(house.pool.script("Judge", **ALL))
    await house.channels.leave_channel("A", room.channel_id, None)
    assert [call.players for call in house.pool.calls] == [
        (),
        ("alice",),
        ("alice", "bob"),
        ("alice", "bob"),
        ("bob",),
    ]


async def test_a_hook_is_told_the_time_of_what_it_hears(house: House) -> None:
    room = await house.room(house.pool.script("Judge", on_message=quiet))
    house.clock.advance(5.5)
    await house.channels.post_message("A", room.channel_id, "hello")
    assert house.pool.calls[-1].now == house.clock.at


async def test_a_hook_is_told_the_message_as_members_read_it(house: House) -> None:
    room = await house.room(house.pool.script("Judge", on_message=quiet))
    posted = await house.channels.post_message("A", room.channel_id, "hello", kind="move")
    (message,) = house.pool.calls[-1].args
    assert message == {
        "id": posted.msg_id,
        "entry": room.head.size - 1,
        "channel_id": room.channel_id,
        "sender": "alice",
        "kind": "move",
        "body": {"text": "hello"},
        "ts": "2027-01-15T08:00:00.000Z",
    }


async def test_two_referees_hear_each_hook_in_the_order_they_were_attached(house: House) -> None:
    one, two = (house.pool.script(name, **ALL) for name in ("One", "Two"))
    await house.room(one, two, slots=("invite:alice",))
    assert [(call.source, call.hook) for call in house.pool.calls] == [
        ("One", "on_init"),
        ("Two", "on_init"),
        ("One", "on_join"),
        ("Two", "on_join"),
        ("One", "on_start"),
        ("Two", "on_start"),
    ]


async def test_a_start_by_hand_starts_the_game_once(house: House) -> None:
    bots = [await house.bot(house.pool.script("Judge", on_start=quiet))]
    room, codes = await opened(house.channels, bots=bots)
    await house.channels.join_channel("A", codes["alice"])
    for _ in range(2):
        await house.channels.update_channel(
            "host", room.channel_id, read_ops([{"op": "start"}]), bots={}
        )
    assert house.pool.heard() == ["on_start"]


async def attach(house: House, account: str, room: Replica, source: str) -> None:
    ops = read_ops([{"op": "attach_bot", "bot_code": source}])
    bot = await house.bot(source)
    await house.channels.update_channel(account, room.channel_id, ops, bots={0: bot})


async def test_a_late_referee_hears_at_once_who_is_here_and_that_it_began(house: House) -> None:
    room = await house.room(account="A", join_as="alice", slots=("invite:alice",))
    await house.channels.post_message("A", room.channel_id, "before its time")
    await attach(house, "A", room, house.pool.script("Late", **ALL))
    await house.channels.post_message("A", room.channel_id, "in its time")
    assert house.pool.heard() == [
        "on_init",
        "on_join alice",
        "on_start",
        "on_message in its time",
    ]


async def test_a_takeover_calls_no_hook(house: House) -> None:
    bots = [await house.bot(house.pool.script("Judge", **ALL))]
    room, codes = await opened(house.channels, bots=bots)
    token = (await house.channels.join_channel("A", codes["alice"])).rejoin_token
    heard = house.pool.heard()
    await house.channels.join_channel("A2", token)
    assert house.pool.heard() == heard
    assert room.channel.players == ("alice",)


async def test_a_referees_words_call_no_hook(house: House) -> None:
    one = house.pool.script("One", on_message=says("one"))
    two = house.pool.script("Two", on_message=says("two"))
    room = await house.room(one, two)
    await house.channels.post_message("A", room.channel_id, "go")
    assert house.pool.heard() == ["on_message go", "on_message go"]


async def test_a_replaced_referee_hears_nothing_more_and_its_successor_starts_anew(
    house: House,
) -> None:
    old, new = house.pool.script("Old", **ALL), house.pool.script("New", **ALL)
    room = await house.room(old, account="A", join_as="alice", slots=("invite:alice", "bot:x"))
    ops = read_ops([{"op": "set_bot", "bot_id": "x", "bot_code": new}])
    await house.channels.update_channel("A", room.channel_id, ops, bots={0: await house.bot(new)})
    await house.channels.post_message("A", room.channel_id, "hello")
    assert house.pool.heard("Old") == ["on_init", "on_join alice", "on_start"]
    assert house.pool.heard("New") == ["on_init", "on_join alice", "on_start", "on_message hello"]


# --- whispers ------------------------------------------------------------------------------


async def test_what_is_addressed_to_one_referee_reaches_that_one_alone(house: House) -> None:
    one, two = (house.pool.script(name, on_message=echo) for name in ("One", "Two"))
    room = await house.room(one, two)
    await house.channels.post_message("A", room.channel_id, "psst", to=["bot:two"])
    assert house.pool.heard("One") == []
    assert house.pool.heard("Two") == ["on_message psst"]
    await house.channels.post_message("A", room.channel_id, "between us", to=["bob"])
    assert len(house.pool.calls) == 1


async def test_a_referee_may_whisper_to_one_player(house: House) -> None:
    def deal(call: HookCall) -> HookResult:
        return Finished(said=(Said("bot", {"text": "ace"}, to=("alice",)),))

    room = await house.room(house.pool.script("Judge", on_message=deal))
    await house.channels.post_message("A", room.channel_id, "deal")
    assert await bot_said(house, room, "A") == ["ace"]
    (sealed,) = await bot_said(house, room, "B")
    assert list(sealed) == ["sealed"]
    assert "ace" not in json.dumps(entries(house.store, room.channel_id, "run"))


async def test_a_referee_may_hide_some_values_of_a_public_body(house: House) -> None:
    def deal(call: HookCall) -> HookResult:
        said = Said("bot", {"hand": 2}, to=("alice",), private={"card": "ace", "suit": "spades"})
        return Finished(said=(said,))

    room = await house.room(house.pool.script("Judge", on_message=deal))
    await house.channels.post_message("A", room.channel_id, "deal")
    (mine,) = await bot_said(house, room, "A")
    (theirs,) = await bot_said(house, room, "B")
    assert (mine["hand"], mine["card"], mine["suit"]) == (2, "ace", "spades")
    assert theirs == {"hand": 2, "_sd": mine["_sd"]}
    assert len(theirs["_sd"]) == 2


# --- what a hook may not do ----------------------------------------------------------------

HUGE = "x" * 16_000
DEEP: dict[str, Any] = {}
for _ in range(30):
    DEEP = {"d": DEEP}
WRONG: dict[str, tuple[Hook, str]] = {
    "raises": (
        lambda call: Failed("KeyError", line=7, text="secret state", prints="p"),
        "KeyError",
    ),
    "takes too long": (lambda call: Failed("TimeLimit", killed=True), "TimeLimit"),
    "whispers to nobody": (
        lambda call: Finished(said=(Said("bot", {}, to=("zed",)),), state={"n": 1}),
        "BadMessage",
    ),
    "has secrets for nobody": (
        lambda call: Finished(said=(Said("bot", {}, private={"a": 1}),), state={"n": 1}),
        "BadMessage",
    ),
    "hides a value without a name": (
        lambda call: Finished(
            said=(Said("bot", {}, private={"": 1}, to=("alice",)),), state={"n": 1}
        ),
        "BadMessage",
    ),
    "posts what is no number": (
        lambda call: Finished(said=(Said("bot", {"n": float("nan")}),), state={"n": 1}),
        "BadMessage",
    ),
    "nests as deep as a value may": (
        lambda call: Finished(said=(Said("bot", DEEP),), state={"n": 1}),
        "BadMessage",
    ),
    "says more than an entry holds": (
        lambda call: Finished(said=(Said("bot", {"t": HUGE}),) * 5, state={"n": 1}),
        "OutputLimit",
    ),
    "ends with more than an entry holds": (
        lambda call: Finished(end={"winners": [], "reason": HUGE * 5}, state={"n": 1}),
        "OutputLimit",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_a_hook_that_does_wrong_changes_nothing_but_one_message(
    house: House, wrong: str
) -> None:
    hook, error = WRONG[wrong]
    room = await house.room(house.pool.script("Judge", on_init=quiet, on_message=hook))
    before = room.channel
    posted = await house.channels.post_message("A", room.channel_id, "go")
    assert not posted.pending
    (said,) = posted.page.messages[-1:]
    assert said.sender == "system"
    assert (said.body["type"], said.body["bot_id"], said.body["hook"]) == (
        "bot:error",
        "judge",
        "on_message",
    )
    assert said.body["error"] == error
    assert "secret" not in str(posted.page)
    assert (room.channel.turn, room.channel.status) == (before.turn, before.status)
    house.pool.scripts["Judge"] = {"on_message": echo}
    posted = await house.channels.post_message("A", room.channel_id, "again")
    assert posted.page.messages[-1].body == {"text": "heard again"}
    assert house.pool.calls[-1].state == {}
    verified(house.store, room.channel_id)


@pytest.mark.parametrize("wrong", ["whispers to nobody", "says more than an entry holds"])
async def test_the_author_reads_why_words_could_not_be_written_down(
    house: House, wrong: str
) -> None:
    hook, error = WRONG[wrong]
    room = await alone(house, house.pool.script("Judge", on_init=quiet, on_message=hook))
    await house.channels.post_message("A", room.channel_id, "go")
    (note,) = await house.bots.take_author_log(room)
    assert (note["hook"], note["error"]) == ("on_message", error)
    assert "zed" in note["text"] or "at most" in note["text"]


async def test_params_are_held_to_the_schema_of_the_manifest(house: House) -> None:
    schema = {"properties": {"low": {"type": "integer", "default": 5}}}
    house.pool.script("Judge", on_init=quiet)
    with pytest.raises(InvalidRequest, match=r"params\.low: 'x' is not an integer"):
        await house.bot("Judge", manifest={"params": schema}, params={"low": "x"})
    fits = await house.bot("Judge", manifest={"params": schema})
    assert fits.new.params == {}  # a default is for readers
    with pytest.raises(BotRejected, match="MANIFEST params"):
        await house.bot("Judge", manifest={"params": {"$ref": "https://example.com"}})


async def test_the_first_referee_owns_turn_and_end(house: House) -> None:
    def grab(call: HookCall) -> HookResult:
        return Finished(
            said=(Said("bot", {"text": "mine"}), Said("bot", {"text": "psst"}, to=("alice",))),
            turn=Turn(("bob",)),
            state={"n": 1},
        )

    one = house.pool.script("One", on_message=lambda call: Finished(turn=Turn(("alice",))))
    two = house.pool.script("Two", on_message=grab)
    room = await house.room(one, two)
    posted = await house.channels.post_message("A", room.channel_id, "go")
    assert room.channel.turn
    assert room.channel.turn.players == ("alice",)
    assert [one.body.get("error") for one in posted.page.messages[-2:]] == [None, "NotTheFirstBot"]
    await house.channels.post_message("A", room.channel_id, "go")
    assert house.pool.calls[-1].state == {}, "the whole run was refused, its state too"
    assert "psst" not in str(await read(house, room))


async def test_turns_and_ends_are_told_to_everybody(house: House) -> None:
    hook: Hook = lambda call: Finished(turn=Turn(("bob",), expect="a move"))  # noqa: E731
    over = says("over", end={"winners": ["bob"]})
    room = await house.room(house.pool.script("Judge", on_start=hook, on_message=over))
    turn = room.channel.turn
    assert turn
    assert (turn.players, turn.expect) == (("bob",), "a move")
    await house.channels.post_message("B", room.channel_id, "move")
    assert (room.channel.status, room.channel.result) == ("ended", {"winners": ["bob"]})
    assert [what for _, what in await read(house, room)][-2:] == ["over", "ended"]


# --- state and time ------------------------------------------------------------------------


async def test_each_hook_begins_with_the_state_the_last_one_left(house: House) -> None:
    room = await house.room(house.pool.script("Judge", on_message=echo))
    for n in range(3):
        await house.channels.post_message("A", room.channel_id, f"{n}")
    assert [call.state for call in house.pool.calls] == [{}, {"n": 1}, {"n": 2}]


async def test_state_outlives_a_restart(house: House) -> None:
    room = await house.room(house.pool.script("Judge", on_message=echo))
    await house.channels.post_message("A", room.channel_id, "one")
    house.start()
    await house.channels.post_message("A", room.channel_id, "two")
    assert house.pool.heard() == ["on_message one", "on_message two"]
    assert house.pool.calls[-1].state == {"n": 1}


async def test_a_silent_hook_leaves_no_trace_and_is_not_heard_again(house: House) -> None:
    room = await house.room(house.pool.script("Judge", on_message=quiet))
    await house.channels.post_message("A", room.channel_id, "hello")
    size = room.head.size
    house.start()
    await house.channels.post_message("A", room.channel_id, "again")
    assert house.channels.room(room.channel_id).head.size == size + 1
    assert house.pool.heard() == ["on_message hello", "on_message again"]


async def test_no_two_hooks_that_draw_have_the_same_dice(house: House) -> None:
    def drawing(call: HookCall) -> Finished:
        return Finished(draws=2)

    room = await house.room(house.pool.script("Judge", on_message=drawing))
    for _ in range(3):
        await house.channels.post_message("A", room.channel_id, "x")
    assert len({call.key for call in house.pool.calls}) == 3


async def test_a_post_returns_when_the_referees_have_answered(house: House) -> None:
    room = await house.room(house.pool.script("Judge", on_message=echo))
    posted = await house.channels.post_message("A", room.channel_id, "hello")
    assert not posted.pending
    assert posted.page.messages[-1].body == {"text": "heard hello"}
    assert posted.page.cursor == posted.msg_id + 1


async def test_a_post_does_not_wait_for_ever(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    release = asyncio.Event()

    async def hang(call: HookCall) -> None:
        await release.wait()

    room = await house.room(house.pool.script("Judge", on_message=echo))
    house.pool.before = hang
    monkeypatch.setattr("mcp_multiplayer.service.channel_manager.HANDLED", 0.001)
    posted = await house.channels.post_message("A", room.channel_id, "hello", wait=1000)
    assert posted.pending
    waiting = asyncio.create_task(
        house.channels.sync_messages("B", room.channel_id, cursor=posted.msg_id, wait=1000)
    )
    await turns()
    assert not waiting.done()
    release.set()
    assert [one.body for one in (await waiting).page.messages] == [{"text": "heard hello"}]


async def test_a_wait_for_the_turn_ends_after_the_hooks_and_not_between_them(
    house: House,
) -> None:
    """The referee gives the turn back to the poster: nobody may see the turn before it."""
    order = iter(["bob", "alice"])
    hook: Hook = lambda call: Finished(turn=Turn((next(order),)))  # noqa: E731
    room = await house.room(house.pool.script("Judge", on_message=hook))
    first = asyncio.create_task(
        house.channels.post_message("A", room.channel_id, "my move", wait=1000)
    )
    await until(lambda: room.channel.turn is not None)
    await turns()
    assert not first.done()
    await house.channels.post_message("B", room.channel_id, "your turn")
    done = await first
    assert done.page.messages[-1].body["players"] == ["alice"]


async def test_a_slow_referee_slows_its_own_channel_only(house: House) -> None:
    release = asyncio.Event()
    slow = house.pool.script("Slow", on_message=echo)
    fast = house.pool.script("Fast", on_message=echo)

    async def hang(call: HookCall) -> None:
        if call.source == slow:
            await release.wait()

    one, two = await house.room(slow), await house.room(fast)
    house.pool.before = hang
    waiting = asyncio.create_task(house.channels.post_message("A", one.channel_id, "x"))
    await turns()
    assert not (await house.channels.post_message("A", two.channel_id, "y")).pending
    assert not waiting.done()
    release.set()
    assert not (await waiting).pending


# --- crashes -------------------------------------------------------------------------------


async def test_a_crash_between_result_and_commit_runs_the_hook_again_and_shows_it_once(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("mcp_multiplayer.service.sequencer.RETRY_HOOKS", 0.0)
    counted = CountingStore(store)
    house = House(counted)
    room = await house.room(house.pool.script("Judge", on_message=echo))

    async def break_next(call: HookCall) -> None:
        counted.fail = [Unavailable("gone for a moment")] if len(house.pool.calls) == 1 else []

    house.pool.before = break_next
    await house.channels.post_message("A", room.channel_id, "hello")
    await until(lambda: room.settled == room.head.size)
    one, two = house.pool.calls
    assert (one.hook, one.args, one.state, one.now) == (two.hook, two.args, two.state, two.now)
    assert await bot_said(house, room) == ["heard hello"]
    assert "could not be run" in caplog.text
    await house.channels.close()


async def test_hooks_that_were_due_at_a_crash_run_after_the_start(
    store: Store, clock: Clock, mint: Mint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_multiplayer.service.sequencer.RETRY_HOOKS", 0.0)
    house = House(store, clock, mint)
    room = await house.room(house.pool.script("Judge", on_message=echo))
    crash = asyncio.Event()

    async def die(call: HookCall) -> None:
        await crash.wait()
        raise Unavailable("the process is gone")

    house.pool.before = die
    post = asyncio.create_task(house.channels.post_message("A", room.channel_id, "hello"))
    await until(lambda: len(house.pool.calls) == 1)
    assert len(entries(store, room.channel_id, "msg")) == 1
    old, house.pool.before = house.channels, None
    house.start()
    synced = await house.channels.sync_messages(
        "B", room.channel_id, cursor=room.channel.messages, wait=1000
    )
    assert [one.body for one in synced.page.messages] == [{"text": "heard hello"}]
    crash.set()  # the old process wakes up: somebody else has written meanwhile
    await post
    await old.lines.finish()
    assert len(entries(store, room.channel_id, "run")) == 1
    verified(store, room.channel_id)


async def test_two_nodes_that_run_the_same_hook_show_it_once(store: Store, clock: Clock) -> None:
    one, two = House(store, clock, Mint("one")), House(store, clock, Mint("two"))
    room = await one.room(one.pool.script("Judge", on_message=echo))
    two.pool = one.pool
    two.start()
    gate = asyncio.Event()

    async def hold(call: HookCall) -> None:
        await gate.wait()

    one.pool.before = hold
    post = asyncio.create_task(one.channels.post_message("A", room.channel_id, "hello"))
    await until(lambda: len(one.pool.calls) == 1)
    two.channels.room(room.channel_id)
    await until(lambda: len(one.pool.calls) == 2)
    gate.set()
    await post
    await one.channels.lines.finish()
    await two.channels.lines.finish()
    assert await bot_said(one, room) == ["heard hello"]
    assert len(entries(store, room.channel_id, "run")) == 1
    verified(store, room.channel_id)


async def test_while_no_sandbox_can_be_had_nothing_is_written_behind_what_was_not_heard(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the log it would look as if the referee had had nothing to say: a fraud."""
    monkeypatch.setattr("mcp_multiplayer.service.channel_manager.HANDLED", 0.001)
    monkeypatch.setattr("mcp_multiplayer.service.sequencer.RETRY_HOOKS", 0.0)
    room = await house.room(house.pool.script("Judge", on_message=echo))
    broken = True

    async def fail(call: HookCall) -> None:
        if broken:
            raise Unavailable("no worker")

    house.pool.before = fail
    assert (await house.channels.post_message("A", room.channel_id, "one")).pending
    with pytest.raises(Unavailable, match="have yet to hear"):
        await house.channels.post_message("A", room.channel_id, "two")
    with pytest.raises(Unavailable):
        await house.channels.leave_channel("B", room.channel_id, None)
    broken = False
    await until(lambda: room.settled == room.head.size)
    await house.channels.post_message("A", room.channel_id, "two")
    await until(lambda: room.settled == room.head.size)
    assert await bot_said(house, room) == ["heard one", "heard two"]
    kinds = [entry["t"] for entry in entries(house.store, room.channel_id)]
    assert kinds[-4:] == ["msg", "run", "msg", "run"]


@pytest.mark.parametrize("new", ["cpython-9.9.9+00000000/mpx-9", runtime().replace("+", "1+")])
async def test_a_new_runtime_is_said_once_before_the_next_hook(
    house: House, monkeypatch: pytest.MonkeyPatch, new: str
) -> None:
    """Also another patch version: hooks that leave no entry run on it as well."""
    room = await house.room(house.pool.script("Judge", on_message=echo))
    old = room.channel.runtime
    monkeypatch.setattr("mcp_multiplayer.service.signing.runtime", lambda: new)
    house.start()
    for text in ("one", "two"):
        await house.channels.post_message("A", room.channel_id, text)
    kinds = [entry["t"] for entry in entries(house.store, room.channel_id)]
    assert kinds[-5:] == ["msg", "runtime", "run", "msg", "run"]
    assert entries(house.store, room.channel_id, "attach")[0]["runtime"] == old
    assert [e["runtime"] for e in entries(house.store, room.channel_id, "runtime")] == [new]
    verified(house.store, room.channel_id)


async def test_another_node_that_ran_the_hook_while_the_runtime_was_noted_ran_it_once(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = House(store, clock, Mint("one"))
    room = await one.room(one.pool.script("Judge", on_message=echo))
    two = House(store, clock, Mint("two"))
    two.pool = one.pool
    two.start()
    held = asyncio.Event()

    async def hold(call: HookCall) -> None:
        await held.wait()

    one.pool.before = hold
    post = asyncio.create_task(one.channels.post_message("A", room.channel_id, "hello"))
    await until(lambda: len(one.pool.calls) == 1)
    other = two.channels.custody
    monkeypatch.setattr(other, "host", replace(other.host, runtime="cpython-9.9.9+00000000/mpx-9"))
    append, first = store.append, True

    def late(change: Append) -> Future[None]:
        nonlocal first
        if first and change.leaves and b'"t":"runtime"' in (change.leaves[0].data or b""):
            first = False
            held.set()
            failed: Future[None] = Future()
            asyncio.get_running_loop().call_later(0.05, failed.set_exception, HeadMoved("late"))
            return failed
        return append(change)

    monkeypatch.setattr(store, "append", late)
    two.channels.room(room.channel_id)
    await post
    await two.channels.lines.finish()
    assert len(entries(store, room.channel_id, "run")) == 1
    await one.channels.lines.finish()


# --- allowance -----------------------------------------------------------------------------


async def test_a_room_that_is_too_fast_for_its_referees_is_told_when_to_repeat(
    store: Store, clock: Clock, mint: Mint
) -> None:
    house = House(store, clock, mint, hooks_per_minute=2)
    room = await house.room(house.pool.script("Judge", on_message=echo))
    for n in range(2):
        await house.channels.post_message("A", room.channel_id, f"{n}", idempotency_key=f"{n}")
    with pytest.raises(RateLimited) as refused:
        await house.channels.post_message("A", room.channel_id, "2", idempotency_key="2")
    assert len(entries(store, room.channel_id, "msg")) == 2
    again = await house.channels.post_message("A", room.channel_id, "1", idempotency_key="1")
    assert [one.body for one in again.page.messages][-1] == {"text": "heard 1"}
    clock.advance(refused.value.retry_after)
    await house.channels.post_message("A", room.channel_id, "2", idempotency_key="2")


async def test_a_clock_that_is_set_back_takes_no_allowance_away(
    store: Store, clock: Clock, mint: Mint
) -> None:
    house = House(store, clock, mint, hooks_per_minute=2)
    room = await house.room(house.pool.script("Judge", on_message=echo))
    await house.channels.post_message("A", room.channel_id, "one")
    clock.advance(-3600)
    await house.channels.post_message("A", room.channel_id, "two")


async def test_more_referees_than_hooks_a_minute_still_hear_one_message_at_a_time(
    store: Store, clock: Clock, mint: Mint
) -> None:
    house = House(store, clock, mint, hooks_per_minute=1)
    room = await house.room(*(house.pool.script(f"N{n}", on_message=echo) for n in range(3)))
    await house.channels.post_message("A", room.channel_id, "one")
    with pytest.raises(RateLimited) as refused:
        await house.channels.post_message("A", room.channel_id, "two")
    clock.advance(refused.value.retry_after)
    await house.channels.post_message("A", room.channel_id, "two")


async def test_rooms_whose_referees_do_not_listen_are_not_limited(
    store: Store, clock: Clock, mint: Mint
) -> None:
    house = House(store, clock, mint, hooks_per_minute=1)
    room = await house.room(house.pool.script("Judge", on_init=quiet), "a text")
    for _ in range(5):
        await house.channels.post_message("A", room.channel_id, "x")


# --- the author's log ----------------------------------------------------------------------


async def alone(house: House, *sources: str) -> Replica:
    """A room in which nobody but its creator sits, so that its author reads along."""
    return await house.room(*sources, slots=("invite:alice",), account="A", join_as="alice")


async def test_what_a_referee_prints_is_kept_for_its_author(house: House) -> None:
    chatty: Hook = lambda call: Finished(prints="debugging\n")  # noqa: E731
    broken: Hook = lambda call: Failed("KeyError", 3, "no 'x' here", "half\n")  # noqa: E731
    room = await alone(house, house.pool.script("Judge", on_start=chatty, on_message=broken))
    posted = await house.channels.post_message("A", room.channel_id, "go")
    notes = await house.bots.take_author_log(room)
    assert notes == [
        {"bot_id": "judge", "hook": "on_start", "print": "debugging\n"},
        {
            "bot_id": "judge",
            "hook": "on_message",
            "print": "half\n",
            "error": "KeyError",
            "line": 3,
            "text": "no 'x' here",
        },
    ]
    log = json.dumps(entries(house.store, room.channel_id))
    for secret in ("debugging", "half", "no 'x' here"):
        assert secret not in log
        assert secret not in str(posted.page)


async def chatty_room(house: House) -> Replica:
    hook: Hook = lambda call: Finished(prints=str(call.args[0]["body"]["text"]))  # noqa: E731
    return await alone(house, house.pool.script("Judge", on_message=hook))


async def printed(house: House, room: Replica, **call: int) -> list[str]:
    """What the author reads in the answer to a call with these cursors."""
    return [note["print"] for note in await house.bots.take_author_log(room, **call)]


async def test_what_was_printed_is_given_once_to_an_author_who_got_it(house: House) -> None:
    room = await chatty_room(house)
    await house.channels.post_message("A", room.channel_id, "one")
    assert await printed(house, room, cursor=3, gave=5) == ["one"]
    await house.channels.post_message("A", room.channel_id, "two")
    assert await printed(house, room, cursor=5, gave=6) == ["two"]


@pytest.mark.parametrize("restart", [False, True])
async def test_an_answer_that_was_lost_loses_nothing_that_was_printed(
    house: House, restart: bool
) -> None:
    room = await chatty_room(house)
    await house.channels.post_message("A", room.channel_id, "one")
    assert await printed(house, room, cursor=3, gave=5) == ["one"]
    if restart:
        house.start()
        room = house.channels.room(room.channel_id)
    assert await printed(house, room, cursor=3, gave=5) == ["one"]


@pytest.mark.parametrize("call", [{}, {"cursor": 5}, {"cursor": 5, "gave": 5}])
async def test_where_no_cursor_tells_what_was_printed_is_given_twice(
    house: House, call: dict[str, int]
) -> None:
    room = await chatty_room(house)
    await house.channels.post_message("A", room.channel_id, "one")
    assert [await printed(house, room, **call) for _ in range(3)] == [["one"], ["one"], []]


async def test_what_nobody_fetches_is_kept_up_to_a_bound(house: House) -> None:
    room = await chatty_room(house)
    for number in range(bot_output.KEPT + 3):
        await house.channels.post_message("A", room.channel_id, str(number))
    kept = house.store.scan(Table.LOG, room.channel_id)
    assert len(kept) == bot_output.KEPT
    assert (await printed(house, room))[-1] == str(bot_output.KEPT + 2)


async def test_one_answer_brings_no_more_notes_than_fit_and_the_next_the_rest(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bot_output, "GIVEN", 250)
    room = await chatty_room(house)
    for number in range(5):
        await house.channels.post_message("A", room.channel_id, str(number))
    told: list[str] = []
    for call in range(8):
        given = await printed(house, room, cursor=10 * call, gave=10 * call + 10)
        assert len(given) <= 2
        told += given
    assert told == ["0", "1", "2", "3", "4"]


# --- the author's log, once somebody else sits there


def ends_when_told(call: HookCall) -> Finished:
    text = str(call.args[0]["body"]["text"])
    return Finished(end={"winners": []} if text == "end" else None, prints=text)


async def test_what_was_printed_comes_to_the_creator_with_the_seed(house: House) -> None:
    room = await house.room(house.pool.script("Judge", on_message=ends_when_told), account="A")
    for text in ("one", "two"):
        await house.channels.post_message("B", room.channel_id, text)
        assert await printed(house, room) == []
    await house.channels.post_message("B", room.channel_id, "end")
    assert await printed(house, room, cursor=0, gave=9) == ["one", "two", "end"]
    await house.channels.post_message("B", room.channel_id, "three")  # of the next seed
    assert await printed(house, room, cursor=9, gave=10) == []


async def test_what_was_printed_before_comes_with_the_seed_too_if_somebody_came_first(
    house: House,
) -> None:
    hook: Hook = lambda call: Finished(prints="hello", said=(Said("bot", {}),))  # noqa: E731
    source = house.pool.script("Judge", on_init=hook)
    assert await printed(house, await alone(house, source)) == ["hello"]
    room = await house.room(source, account="A")
    assert await printed(house, room) == []


async def test_what_was_printed_comes_with_a_seed_that_comes_out_by_its_age(house: House) -> None:
    hook: Hook = lambda call: Finished(prints="x", said=(Said("bot", {}),))  # noqa: E731
    room = await house.room(house.pool.script("Judge", on_message=hook), account="A")
    await house.channels.post_message("B", room.channel_id, "go")
    assert await printed(house, room) == []
    house.clock.advance(86_400 * room.channel.limits["reveal_days"] + 1)
    await house.channels.post_message("B", room.channel_id, "again")
    assert await printed(house, room) == ["x"]


@pytest.mark.parametrize("silent", [False, True])
async def test_what_a_referee_printed_that_is_gone_comes_if_its_seed_came_out(
    house: House, silent: bool
) -> None:
    said = () if silent else (Said("bot", {}),)
    hook: Hook = lambda call: Finished(prints="x", said=said)  # noqa: E731
    slots = ("invite:alice:admin", "invite:bob")
    source = house.pool.script("Judge", on_message=hook)
    room = await house.room(source, slots=slots, account="A", join_as="alice")
    await house.channels.post_message("B", room.channel_id, "go")
    await house.channels.leave_channel("B", room.channel_id, None)
    assert await printed(house, room) == []
    ops = read_ops([{"op": "remove_bot", "bot_id": "judge"}])
    await house.channels.update_channel("A", room.channel_id, ops, bots={})
    assert not room.channel.bots
    assert await printed(house, room) == ([] if silent else ["x"])


async def test_what_a_referee_keeps_for_good_never_comes_to_its_author(house: House) -> None:
    source = house.pool.script("Judge", on_message=ends_when_told)
    bot = await house.bot(source, manifest={"sealed": "kept"})
    room, codes = await opened(house.channels, bots=[bot], account="A", join_as="alice")
    await house.channels.join_channel("B", codes["bob"])
    for text in ("one", "end"):
        await house.channels.post_message("B", room.channel_id, text)
    assert await printed(house, room) == []
    assert not house.store.scan(Table.LOG, room.channel_id)


async def test_a_run_that_was_refused_keeps_what_it_printed(house: House) -> None:
    hook: Hook = lambda call: Finished(said=(Said("bot", {}, to=("zed",)),), prints="look")  # noqa: E731
    room = await alone(house, house.pool.script("Judge", on_message=hook))
    await house.channels.post_message("A", room.channel_id, "go")
    assert "look" in str(await house.bots.take_author_log(room))


# --- the real sandbox ----------------------------------------------------------------------

COUNTER = """
class Counter:
    def __init__(self, ctx, params):
        self.ctx, self.params, self.seen = ctx, params, 0
    def on_init(self):
        self.ctx.set_state({"n": 0})
        self.ctx.post("bot", {"text": "ready", "step": self.params["step"]})
    def on_join(self, player_id):
        self.ctx.post("bot", {"text": "welcome " + player_id})
    def on_start(self):
        self.ctx.set_turn([self.ctx.players[0]], expect="a word")
    def on_message(self, msg):
        self.seen += 1  # a fresh instance for each hook: never more than one
        text = msg["body"]["text"]
        if text == "crash":
            print("about to crash")
            self.ctx.set_state({"n": 999})
            return {}["x"]
        if text == "spin":
            while True:
                pass
        n = self.ctx.get_state()["n"] + self.params["step"]
        self.ctx.set_state({"n": n})
        self.ctx.post("bot", {"n": n, "seen": self.seen})
        self.ctx.post("bot", {"hand": n}, to=[msg["sender"]])
        self.ctx.post("bot", {"open": 1}, private={"card": n}, to=[msg["sender"]])
        if text == "end":
            self.ctx.end({"winners": [msg["sender"]], "reason": "because"})
"""


@pytest_asyncio.fixture
async def real(clock: Clock, mint: Mint) -> AsyncIterator[tuple[ChannelManager, BotManager]]:
    pool = Pool()
    await pool.start()
    channels = manager(MemoryStore(), clock, mint)
    bots = BotManager(channels.custody, pool, now=clock, bots_dir=BOTS_DIR)
    channels.referees = bots
    yield channels, bots
    await channels.close()
    await pool.close()


async def test_a_game_in_the_real_sandbox(real: tuple[ChannelManager, BotManager]) -> None:
    channels, bots = real
    bot = await bots.prepare(BotSpec(code=COUNTER, params={"step": 2}))
    assert bot.new.label == "counter"
    room, codes = await opened(
        channels, *default_slots(bot), bots=[bot], account="A", join_as="alice"
    )
    await channels.join_channel("B", codes["bob"])
    assert room.channel.turn
    assert (room.channel.turn.players, room.channel.turn.expect) == (("alice",), "a word")

    posted = await channels.post_message("A", room.channel_id, "one")
    bodies = [dict(one.body) for one in posted.page.messages[-3:]]
    assert bodies[:2] == [{"n": 2, "seen": 1}, {"hand": 2}]
    assert (bodies[2]["open"], bodies[2]["card"]) == (1, 2)
    synced = await channels.sync_messages("B", room.channel_id, cursor=posted.msg_id, wait=0)
    assert [set(one.body) for one in synced.page.messages] == [
        {"n", "seen"},
        {"sealed"},
        {"open", "_sd"},
    ]

    posted = await channels.post_message("B", room.channel_id, "crash")
    (error,) = posted.page.messages[-1:]
    assert (error.body["type"], error.body["error"]) == ("bot:error", "KeyError")
    assert error.body["line"] == COUNTER.splitlines().index('            return {}["x"]') + 1
    assert await bots.take_author_log(room) == []  # bob's words stand in it

    posted = await channels.post_message("A", room.channel_id, "end")
    (note,) = await bots.take_author_log(room)
    assert note["print"] == "about to crash\n"
    assert {"n": 4, "seen": 1} in [dict(one.body) for one in posted.page.messages]
    assert room.channel.result == {"winners": ["alice"], "reason": "because"}
    verified(channels.store, room.channel_id)


async def test_a_source_that_may_not_run_is_rejected_with_its_line(
    real: tuple[ChannelManager, BotManager],
) -> None:
    _, bots = real
    for code, reason in (
        ("import os\nclass A:\n    def on_init(self): pass", "Import of 'os' is not allowed"),
        ("class A:\n    def on_init(self): eval('1')", "Eval calls are not allowed"),
        ("class A:\n    def on_init(self:", "Line 2"),
    ):
        with pytest.raises(BotRejected, match=reason):
            await bots.prepare(BotSpec(code=code))


async def test_every_shipped_referee_can_be_attached(
    real: tuple[ChannelManager, BotManager],
) -> None:
    channels, bots = real
    for bot in await bots.presets():
        room, _ = await opened(channels, *default_slots(bot), bots=[bot], account=bot.new.name)
        assert room.channel.bots[0].code_hash == bot.new.code_hash
        assert channels.store.get(Table.BLOB, room.channel_id, bot.new.code_hash)
