"""A server that wants a certain number to come up, and tries everything it has a choice in.

It wins a trial when the first draw of `on_start`, 1 in 100, is its target. One honest member
does as told: it takes one invite for one trial, names a value of its own after the server
has committed to its seed, repeats the same value when it is refused, and looks whether
the log holds what its invite pins and what it has said. Stopped by: channel/entropy.py,
transcript/seeds.py. What is out of reach stands in docs/trust.md, and is played
here too: it shows that the grinder can win.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from mcp_multiplayer.channel import decide, entropy
from mcp_multiplayer.channel.commands import Create, TakeSeat
from mcp_multiplayer.channel.events import Leave
from mcp_multiplayer.channel.identifiers import slot_specs
from mcp_multiplayer.errors import InvalidRequest
from mcp_multiplayer.service.log_keys import LogKey, LogKeys
from mcp_multiplayer.service.rollback_guard import RollbackGuard
from mcp_multiplayer.service.signing import Signing
from mcp_multiplayer.transcript import checkpoint, entries, seeds
from mcp_multiplayer.transcript.drbg import block, hook_key, scale
from tests.channel.table import Table, bot
from tests.harness import LIMITS

TARGET = 42
TRIALS, MANY = 25, 1000
SHIFTS = (0, -300, 300, 7)  #: ms
SEATS = ("alice", "bob", "carol")
KEYS = LogKeys(LogKey(b"\1" * 32))


def some(*words: object) -> bytes:
    """32 bytes that are the same in every run."""
    return hashlib.sha256(repr(words).encode()).digest()


def value(trial: int, who: str = "alice") -> str:
    return some("value", trial, who).hex()[:32]


def first_number(key: bytes, nth: int = 0) -> int:
    """The first number below 100 of the hook that draws as the ``nth`` of an epoch."""
    return scale(block(hook_key(key, nth), 0), 100)


def chance_of(hits: int, trials: int, p: float = 0.01) -> float:
    """How likely so many hits, or more, are without any skill."""
    terms = (math.comb(trials, k) * p**k * (1 - p) ** (trials - k) for k in range(hits, trials + 1))
    return math.fsum(terms)


@dataclass
class Room:
    """One of the logs that the server could write. ``seed`` is its dice key's."""

    seed: bytes
    table: Table
    custody: Signing

    @classmethod
    def opened(cls, seed: bytes, trial: int, *, seats: tuple[str, ...] = SEATS[:2]) -> Room:
        made = cls(seed, Table(), Signing(seed, KEYS, RollbackGuard(None)))
        made.table.invites = {seat: some("invite", trial, seat).hex() for seat in seats}
        command = Create(
            origin=f"localhost/c/chn_{trial}",
            name="duel",
            creator="host",
            slots=slot_specs(("bot:judge", *(f"invite:{s}" for s in seats)), max_seats=32),
            invites=made.table.invites,
            limits=LIMITS,
            nonce=seed.hex()[:32],
            bots=(bot(hooks=("on_start", "on_message")),),
        )
        made.table.happen(decide.create(command, made.custody.host))
        return made

    def pinned(self, size: int) -> str:
        """What an invite says of the first ``size`` entries."""
        root = entries.verify(self.table.leaves[:size]).root
        channel = self.table.channel
        return checkpoint.invite_fingerprint(channel.key, channel.origin, size, root)

    def drawn(self) -> int:
        """The first number that the referee draws in on_start."""
        channel = self.table.channel
        assert channel.started is not None
        epoch = self.custody.epoch(channel, channel.bots[0], channel.started)
        return first_number(epoch.key, epoch.nth)


@dataclass
class Honest:
    """Alice: what her invite pins, and what she has said under it."""

    size: int
    pin: str
    said: str

    @classmethod
    def invited(cls, room: Room, said: str) -> Honest:
        size = len(room.table.leaves)
        return cls(size, room.pinned(size), said)

    def accepts(self, room: Room) -> bool:
        """It is the room she was invited to, nothing she did not agree to has come since, and
        she sits there with her own words."""
        entries = [json.loads(leaf) for leaf in room.table.leaves]
        mine = [e for e in entries if e["t"] == "join" and e["slot"] == "s1"]
        said = {e.get("entropy") or e.get("commit") for e in mine} - {None}
        return (
            len(entries) >= self.size
            and room.pinned(self.size) == self.pin
            and all(entry["t"] != "attach" for entry in entries[self.size :])
            and said == {self.said.removeprefix("commit:")}
        )


Variant = Callable[[Room], None]


def orders(said: dict[str, str], seats: tuple[str, ...] = SEATS[:2]) -> Iterator[Variant]:
    """Every order of joins, at other times, with words in between, after refusals that leave no
    trace, and with a guest who goes and comes back."""
    for order, shift, filler, again in itertools.product(
        itertools.permutations(seats), SHIFTS, (0, 3), (False, True)
    ):

        def play(room: Room, order: Any = order, shift: Any = (shift, filler, again)) -> None:
            ts, fillers, twice = shift
            table = room.table
            for number, seat in enumerate(order):
                table.now += 1000 + ts * (number + 1)
                if seat == order[-1]:
                    for n in range(fillers):
                        table.post(order[0], {"text": f"filler {n}"})
                table.join(seat, seat, entropy=said.get(seat))
                if twice and seat == "bob" and seat != order[-1]:
                    table.happen([Leave("s2")])
                    table.update("host", {"op": "reissue_invite", "player_id": "bob"})
                    table.join(seat, seat, entropy=said.get(seat))

        yield play


def cheats(said: dict[str, str], trial: int) -> Iterator[tuple[Room, str]]:
    """What the server can still write once it has read a value, and alice would notice: another
    seed under the same invite, another room, another seat for her, another value."""
    for number in range(400):
        other = some("cheat", trial, number)
        if number % 4 == 0:  # a referee attached anew
            room = Room.opened(some("seed", trial), trial)
            fresh = Room.opened(other, trial)
            room.custody = fresh.custody
            host = fresh.custody.host
            again = bot(hooks=("on_start", "on_message"))
            room.table.update("host", {"op": "remove_bot", "bot_id": "judge"})
            room.table.happen([again.attach("judge", "s0", runtime="", commit=host.commit("", ""))])
            what = "attach"
        elif number % 4 == 1:  # a log from the beginning
            room, what = Room.opened(other, trial), "genesis"
        else:
            room, what = Room.opened(some("seed", trial), trial), "value"
        words = dict(said) if what != "value" else {"alice": other.hex()[:32]}
        for seat in ("alice", "bob"):
            room.table.join(seat, seat, entropy=words.get(seat))
        yield room, what


def trials(count: int, grind: Callable[[int], bool]) -> int:
    return sum(grind(trial) for trial in range(count))


def fixed(trial: int, said: dict[str, str], seats: tuple[str, ...] = SEATS[:2]) -> bool:
    """The server has committed, then hears ``said``, and may choose everything else."""
    tried = [Room.opened(some("seed", trial, n), trial, seats=seats) for n in range(3)]
    began = max(tried, key=lambda room: room.seed)  # before anybody has spoken, any is as good
    alice = Honest.invited(began, said["alice"])
    for play in orders(said, seats):
        room = Room.opened(began.seed, trial, seats=seats)
        play(room)
        if room.drawn() == TARGET and alice.accepts(room):
            return True
    return False


# --- with a value of an honest member --------------------------------------------------------


@pytest.mark.parametrize("count", [TRIALS, pytest.param(MANY, marks=pytest.mark.long)])
def test_a_server_that_tries_everything_wins_no_more_often_than_chance(count: int) -> None:
    hits = trials(count, lambda trial: fixed(trial, {"alice": value(trial)}))
    assert chance_of(hits, count) > 0.001, f"{hits} of {count}"


@pytest.mark.parametrize("count", [TRIALS, pytest.param(MANY, marks=pytest.mark.long)])
def test_nor_when_the_other_member_is_honest_too(count: int) -> None:
    said = ("alice", "bob")
    hits = trials(count, lambda trial: fixed(trial, {who: value(trial, who) for who in said}))
    assert chance_of(hits, count) > 0.001, f"{hits} of {count}"


def test_no_choice_of_times_orders_or_words_moves_the_dice() -> None:
    numbers = set()
    said = {"alice": value(1), "bob": value(1, "bob")}
    for play in orders(said):
        room = Room.opened(some("seed"), 1)
        play(room)
        numbers.add(room.drawn())
    assert len(numbers) == 1


def test_no_choice_of_words_times_or_failures_before_a_roll_moves_it() -> None:
    """Whoever could choose which of many dice are rolled would need no seed: one more message,
    a clock that rings or a hook that is made to fail must not be another roll."""
    numbers = set()
    for words, ms, failing in itertools.product((0, 1, 5), (1, 70_000), (0, 2)):
        room = Room.opened(some("seed"), 1)
        table = room.table
        for seat in SEATS[:2]:
            table.join(seat, seat, entropy=value(1, seat))
        receipt: dict[str, Any] = {"now": 1, "st": ["x", "x"]}
        table.ran(**receipt, rng=["kid", 0, 3])  # the cards are dealt
        for n in range(words):
            table.now += ms
            table.post("alice", {"text": f"chat {n}"})
            table.ran(**receipt, rng=["kid", 1, 0])
        for _ in range(failing):
            table.post("bob", {"text": "what makes the referee fail when it has rolled"})
            table.ran(**receipt, rng=["kid", 1, 0], res="error:ValueError")
        table.post("alice", {"text": "roll"})
        channel = table.channel
        epoch = room.custody.epoch(channel, channel.bots[0], channel.size - 1)
        numbers.add((epoch.nth, first_number(epoch.key, epoch.nth)))
    assert len(numbers) == 1


@pytest.mark.parametrize("trial", range(3))
def test_what_would_suit_the_server_is_not_what_the_member_was_invited_to(trial: int) -> None:
    said = {"alice": value(trial)}
    alice = Honest.invited(Room.opened(some("seed", trial), trial), said["alice"])
    won = [(room, what) for room, what in cheats(said, trial) if room.drawn() == TARGET]
    assert {what for _, what in won} >= {"value"}, "else nothing was tried"
    assert not [what for room, what in won if alice.accepts(room)]


def test_a_seat_says_one_value_and_no_other() -> None:
    """So the server cannot collect several, and whoever repeats a call as told is not another."""
    room = Room.opened(some("seed"), 1)
    room.table.join("alice", "alice", entropy=value(1))
    before = len(room.table.leaves)
    room.table.join("alice", "alice", entropy=value(1))
    assert len(room.table.leaves) == before
    with pytest.raises(InvalidRequest, match="that one stands"):
        room.table.join("alice", "alice", entropy=value(2))


# --- a player who speaks last ----------------------------------------------------------------


def with_a_friend(trial: int, *, committed: bool) -> bool:
    """Bob is the server's own. He speaks after alice, and tries values until the dice suit."""
    began = Room.opened(some("seed", trial), trial)
    origin = began.table.channel.origin
    promise = "commit:" + seeds.commit_member(origin, "s1", value(trial))
    said = promise if committed else value(trial)
    alice = Honest.invited(began, said)
    began.table.join("alice", "alice", entropy=said)
    for number in range(1000):
        tried = f"bob tries number {number:06d}"
        guess = {"s2": tried} if committed else {"s1": said, "s2": tried}
        place = (origin, "judge@1", 0)
        seed = began.custody._seed(*place)
        if first_number(seeds.epoch_key(seed, *place, guess.items())) == TARGET:
            began.table.join("bob", "bob", entropy=tried)
            break
    if committed:  # she opens when all seats are taken
        invite = began.table.invites["alice"]
        began.table.do(TakeSeat("alice", invite, began.table.now, entropy=value(trial)))
    return began.drawn() == TARGET and alice.accepts(began)


@pytest.mark.parametrize("count", [TRIALS, pytest.param(MANY, marks=pytest.mark.long)])
def test_against_a_commitment_the_server_and_a_player_win_no_more_often_than_chance(
    count: int,
) -> None:
    hits = trials(count, lambda trial: with_a_friend(trial, committed=True))
    assert chance_of(hits, count) > 0.001, f"{hits} of {count}"


def test_against_a_value_in_clear_they_win_if_the_player_speaks_last() -> None:
    """docs/trust.md says so: this is what commitments are for."""
    assert trials(5, lambda trial: with_a_friend(trial, committed=False)) == 5


# --- the control: without it, the same grinder wins ------------------------------------------


def unbounded(trial: int, said: dict[str, str]) -> bool:
    """The server knows all that will be said before it commits to a seed."""
    for number in range(1500):
        room = Room.opened(some("seed", trial, number), trial)
        alice = Honest.invited(room, said.get("alice", ""))
        room.table.join("alice", "alice", entropy=said.get("alice"))
        room.table.join("bob", "bob")
        if room.drawn() == TARGET:
            return alice.accepts(room) or not said
    return False


def test_without_a_members_value_the_same_grinder_wins() -> None:
    assert trials(4, lambda trial: unbounded(trial, {})) == 4


def test_with_a_value_that_was_said_in_another_room_before_it_wins_too() -> None:
    """One value for one invite: whoever is sent to another room makes another one."""
    assert trials(4, lambda trial: unbounded(trial, {"alice": value(trial)})) == 4


def test_a_value_that_stood_in_the_log_before_the_seed_was_chosen_is_not_mixed_in() -> None:
    """So nobody can take a game for one in which a member had a say that the server knew."""
    room = Room.opened(some("seed"), 1)
    room.table.join("host", "alice", entropy=value(1))
    room.table.update("host", {"op": "set_bot", "bot_id": "judge", "bot_code": "…"})
    room.table.join("bob", "bob", entropy=value(1, "bob"))
    channel = room.table.channel
    assert channel.started is not None
    assert [slot for slot, _ in entropy.shares(channel, channel.bots[0], channel.started)] == ["s2"]


def turned_away(trial: int) -> bool:
    """All have spoken in clear. The server leaves out whom it can do without, until it suits."""
    others = SEATS[1:]
    said = {who: value(trial, who) for who in SEATS}
    began = Room.opened(some("seed", trial), trial, seats=SEATS)
    alice = Honest.invited(began, said["alice"])
    for present in itertools.product((True, False), repeat=len(others)):
        room = Room.opened(began.seed, trial, seats=SEATS)
        room.table.join("alice", "alice", entropy=said["alice"])
        for who, here in zip(others, present, strict=True):
            if here:
                room.table.join(who, who, entropy=said[who])
        if not all(present):
            room.table.update("host", {"op": "start"})
        if room.drawn() == TARGET and alice.accepts(room):
            return True
    return False


@pytest.mark.long
def test_each_player_it_could_do_without_gives_it_another_try() -> None:
    """docs/trust.md says so; a commitment takes this away as well."""
    hits = trials(MANY, turned_away)
    assert 20 <= hits <= 70, "four tries of 1 in 100, not one"
