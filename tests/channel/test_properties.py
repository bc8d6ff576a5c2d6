"""Any sequence of requests, allowed or not: what must hold of a room holds after each."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_multiplayer.channel import events, invite_codes, proposals, terms, timers, view
from mcp_multiplayer.channel.apply import Place, evolve
from mcp_multiplayer.channel.commands import TakeSeat
from mcp_multiplayer.channel.events import (
    Accept,
    Admin,
    Attach,
    Change,
    Close,
    Detach,
    Event,
    Leave,
    Tick,
)
from mcp_multiplayer.channel.model import Channel, Timer
from mcp_multiplayer.errors import MultiplayerError
from mcp_multiplayer.transcript import entries
from tests.channel.table import Table, bot

ACCOUNTS = ["host", "acc-A", "acc-B", "acc-C"]
LABELS = ["alice", "bob", "carol"]
Moves = st.lists(st.integers(0, 2**20), max_size=40)


class Dice:
    """A whole number as a row of choices."""

    def __init__(self, number: int) -> None:
        self.number = number

    def pick(self, items: list[Any]) -> Any:
        self.number, place = divmod(self.number, len(items))
        return items[place]


def update(table: Table, dice: Dice) -> list[Event]:
    op = dice.pick(
        [
            "set_admin",
            "yield_slot",
            "reissue_invite",
            "start",
            "close",
            "rename",
            "accept_change",
            "remove_bot",
            "set_bot",
            "attach_bot",
        ]
    )
    who, label = dice.pick(ACCOUNTS), dice.pick(LABELS)
    bot_id = dice.pick([it.id for it in table.channel.bots] or ["none"])
    proposal = table.channel.proposal
    fields: dict[str, dict[str, Any]] = {
        "set_admin": {"player_id": label, "admin": dice.pick([True, False])},
        "yield_slot": {"player_id": label},
        "reissue_invite": {"player_id": label},
        "rename": {"name": "new"},
        "accept_change": {"terms": proposal.terms if proposal else "none"},
        "remove_bot": {"bot_id": bot_id},
        "set_bot": {"bot_id": bot_id, "bot_code": "…"},
        "attach_bot": {"bot_code": "…"},
    }
    seat = dice.pick([None, None, label])
    new = bot(dice.pick(["New", "Other"]), code_hash=dice.pick(["sha256:1", "sha256:2"]))
    return table.update(who, {"op": op, **fields.get(op, {})}, bots={0: new}, seat=seat)


def join(table: Table, dice: Dice) -> list[Event]:
    who, label = dice.pick(ACCOUNTS), dice.pick(LABELS)
    return table.do(TakeSeat(who, table.invites.get(label, "none"), table.now))


def post(table: Table, dice: Dice) -> list[Event]:
    who, seat = dice.pick(ACCOUNTS), dice.pick([None, *LABELS])
    to = dice.pick([None, ("alice",), ("bob", "bot:judge"), ("carol", "alice"), ("zed",)])
    return table.post(who, {"text": f"whisper-{table.head.size}"}, seat=seat, to=to)


def take_over(table: Table, dice: Dice) -> list[Event]:
    return table.take_over(dice.pick(ACCOUNTS), dice.pick(LABELS), dice.pick([0, 0, 1]))


def leave(table: Table, dice: Dice) -> list[Event]:
    return table.leave(dice.pick(ACCOUNTS), dice.pick([None, *LABELS]))


def ran(table: Table, dice: Dice) -> list[Event]:
    if not table.channel.bots:
        return []
    what = dice.pick(
        [
            {"out": [{"k": "bot", "b": {"text": "hm"}}]},
            {"turn": {"players": ["alice"]}},
            {"res": "error:Oops"},
            {"end": {"winners": []}},
            {"turn": {"players": ["alice"], "deadline": table.now + dice.pick([1000, 2000])}},
            {"turn": {"players": [], "deadline": table.now}},
            {"timers": {"a": table.now + dice.pick([1000, 5000]), "b": None}},
            {"timers": {"b": table.now + 1000, "a": None}},
        ]
    )
    return table.ran(dice.pick(list(range(len(table.channel.bots)))), **what)


def expire(table: Table, dice: Dice) -> list[Event]:
    table.now += dice.pick([0, 1000])
    return table.expire()


STEPS: list[Callable[[Table, Dice], list[Event]]] = [
    join,
    join,
    join,
    post,
    post,
    update,
    update,
    update,
    take_over,
    leave,
    ran,
    ran,
    expire,
]


Check = Callable[[Table, Channel, list[Event]], None]


def played(moves: list[int], check: Check | None = None) -> Table:
    """The room after these moves; ``check`` sees each with the state before it."""
    table = Table.of("bot:judge", "invite:alice:admin", "invite:bob", "invite:carol", bots=(bot(),))
    for move in moves:
        dice = Dice(move)
        table.now += dice.pick([0, 1, -5, 1000])
        before = table.channel
        try:
            happened = dice.pick(STEPS)(table, dice)
        except MultiplayerError:
            assert table.channel == before
            continue
        if check is not None:
            check(table, before, happened)
    return table


def check_game(table: Table, before: Channel, happened: list[Event]) -> None:
    """While a game runs nobody loses a seat, and no room is closed, by another's hand alone."""
    agreed = {*(before.proposal.accepted if before.proposal else ())}
    agreed |= {event.slot for event in happened if isinstance(event, Accept)}
    consent = any(isinstance(event, Change) for event in happened)
    others = {seat.who for seat in before.seated}
    if not before.running or len(others) < 2:
        return
    if any(isinstance(event, Close) for event in happened):
        stayed = {seat.id for seat in table.channel.seated}
        assert consent and stayed <= agreed
    gone = [event.slot for event in happened if isinstance(event, Leave)] if consent else []
    for slot in gone:
        rest = [seat for seat in before.seated if seat.id != slot]
        all_others = {seat.id for seat in rest} <= agreed and len({s.who for s in rest}) > 1
        assert slot in agreed or all_others or isinstance(happened[0], Leave)


def check_consent(table: Table, before: Channel, happened: list[Event]) -> None:
    """Terms change by the hand of who sits alone, or with everybody's consent to just these."""
    after = table.channel
    if terms.of(after) == terms.of(before):
        return
    touched = [event for event in happened if isinstance(event, Attach | Detach | Admin)]
    assert touched
    consent = [event for event in happened if isinstance(event, Change)]
    seated_before = {seat.who for seat in before.seated}
    if consent:
        assert before.proposal
        assert consent[0].terms == before.proposal.terms == terms.of(after)
        agreed = {*before.proposal.accepted}
        agreed |= {event.slot for event in happened if isinstance(event, Accept)}
        assert {seat.id for seat in after.seated} <= agreed
    else:
        assert len(seated_before) <= 1


def check_state(table: Table, before: Channel, happened: list[Event]) -> None:
    channel = table.channel
    for seat in channel.slots:
        assert bool(seat.who) == (seat.kind == "invite" and seat.state == "taken")
        assert seat.state in ("free", "taken", "left", "closed")
    assert len({seat.label.lower() for seat in channel.seats}) == len(channel.seats)
    slots_of_bots = [it.slot for it in channel.bots]
    assert len(set(slots_of_bots)) == len(slots_of_bots)
    assert {seat.id for seat in channel.slots if seat.kind == "bot" and seat.state == "taken"} == {
        *slots_of_bots
    }
    assert [one.id for one in table.said] == list(range(1, channel.messages + 1))
    assert channel.shared >= any(seat.who != "host" for seat in channel.seated)
    if channel.status == "closed":
        assert channel.turn is None
        assert channel.proposal is None
    if channel.turn is not None:
        assert channel.turn.players
    if channel.proposal is not None:  # else it would have happened
        assert not channel.seated or proposals.waiting(channel)


def check_clocks(table: Table, before: Channel, happened: list[Event]) -> None:
    """A clock that runs has somebody to ring for; a tick is written for one that ran out."""
    channel = table.channel
    assert list(channel.timers) == sorted(channel.timers)
    names = [(timer.bot, timer.name) for timer in channel.timers]
    assert len(set(names)) == len(names)
    assert {timer.bot for timer in channel.timers} <= {it.id for it in channel.bots}
    assert not channel.timers or channel.status != "closed"
    for timer in channel.timers:
        if timer.name == timers.TURN:
            assert channel.turn and channel.turn.deadline == timer.due
    for event in happened:
        if isinstance(event, Tick):
            assert Timer(before.timers[0].due, event.bot, event.name) == before.timers[0]
            assert before.timers[0].due <= table.now
            assert channel.timers == before.timers[1:]


def check_all(table: Table, before: Channel, happened: list[Event]) -> None:
    check_state(table, before, happened)
    check_clocks(table, before, happened)
    check_consent(table, before, happened)
    check_game(table, before, happened)


def check_log(table: Table) -> None:
    """What an outsider can find out about the whole log."""
    head = entries.verify(table.leaves)
    assert (head.size, head.root) == (table.head.size, table.head.root)
    channel, bytes_so_far = Channel(), 0
    for number, data in enumerate(table.leaves):
        entry = entries.read(data, number)
        at = Place(number, entry.get("ts", entry.get("now", 0)), len(data))
        channel = evolve(channel, events.read(entry), at)
        bytes_so_far += len(data)
    assert channel == table.channel
    assert channel.bytes == bytes_so_far
    log = b"".join(table.leaves)
    assert b"inv_" not in log
    assert b"rejoin_" not in log


def check_privacy(table: Table) -> None:
    """What each reader can be given of what was whispered."""
    for name in [*LABELS, "bot:judge", "system", ""]:
        for one in table.said:
            if one.to is None:
                continue
            words = {"text": f"whisper-{one.entry}"}
            assert one.body == {"sealed": invite_codes.seal("salt", words)}
            shown = view.open_for(one, frozenset({name}), {"": ["salt", words]})
            assert ("whisper" in str(shown.body)) == (name in (one.sender, *one.to))


def check(moves: list[int]) -> None:
    table = played(moves, check_all)
    check_log(table)
    check_privacy(table)


@given(Moves)
@settings(max_examples=300, deadline=None)
def test_whatever_is_asked_the_room_stays_sound(moves: list[int]) -> None:
    check(moves)


@pytest.mark.long
@given(st.lists(st.integers(0, 2**20), max_size=200))
@settings(max_examples=20_000, deadline=None)
def test_whatever_is_asked_the_room_stays_sound_for_long(moves: list[int]) -> None:
    check(moves)


def test_the_moves_reach_what_they_are_meant_to_try() -> None:
    """Consent, takeovers, yielded seats, whispers and ends all come up."""
    chance = random.Random(1)
    seen: set[str] = set()

    def note(table: Table, before: Channel, happened: list[Event]) -> None:
        seen.update(type(event).__name__ for event in happened)

    for _ in range(300):
        played([chance.randrange(2**20) for _ in range(40)], note)
    assert seen >= {
        "Change",
        "Accept",
        "Propose",
        "Takeover",
        "Leave",
        "Invite",
        "Close",
        "Run",
        "Msg",
        "Start",
        "Admin",
        "Detach",
        "Attach",
        "Rename",
        "Tick",
    }


def test_the_same_requests_always_give_the_same_log() -> None:
    chance = random.Random(2)
    moves = [chance.randrange(2**20) for _ in range(60)]
    assert played(moves).leaves == played(moves).leaves
