"""Rooms in memory: which are loaded, who may enter one, how far everybody has read.

Changes when rooms are kept or found otherwise. The manager's operations stand on it; it
changes no channel itself.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from engine import hooks
from engine.alarms import Alarms
from engine.channel import rules, tokens
from engine.channel.names import CHANNEL_ID
from engine.channel.state import Slot
from engine.custody import Custody
from engine.errors import ChannelNotFound, InvalidRequest, NotMember
from engine.lines import Lines
from engine.results import Seat
from engine.room import CLOCK, Room
from engine.sandbox.shares import Owner
from engine.stores.base import Append, Row, Store, Table
from engine.stores.landing import landed

_PLACE = re.compile(rf"([0-9]{{1,15}})\.({CHANNEL_ID.pattern})")  #: in a list of rooms
ROOMS = 1024  #: folds kept in memory
LONGEST_WAIT = 45.0  #: seconds; hosted clients give up between 45 and 300
CREATOR = "creator"  #: key of the row that names its network
UNKNOWN = "unknown"  #: pays where no row of a creator is left; nobody's account
LOOKED_AT = 50  #: rooms of an account, open and closed ones, in search of a seat
FLUSH_MARKS = 2.0  #: seconds a mark may be in memory only; losing it repeats messages


@dataclass(frozen=True)
class RoomPage:
    """Rooms with the seats an account has there. ``cursor``: where the next page begins."""

    rooms: tuple[tuple[Room, tuple[Slot, ...]], ...]
    cursor: str | None


class Referees(Protocol):
    """What runs the hooks of a room's bots: `bot_manager.BotManager`."""

    def admit(self, room: Room) -> None:
        """Raise `RateLimited` when the room's bots have no time for one more message."""

    def pause(self, room: Room) -> float:
        """Seconds until the room's bots have time for a clock that ran out; 0 takes it."""

    async def settle(self, room: Room) -> None:
        """Run every hook that is due, append what comes of it, and say so in ``room.settled``."""


class NoReferees:
    """For rooms without bots, and tests: nothing is ever due."""

    def admit(self, room: Room) -> None:
        pass

    def pause(self, room: Room) -> float:
        return 0.0

    async def settle(self, room: Room) -> None:
        room.settle_all()


class Rooms:
    """See the module. ``referees`` is set by whoever runs bots."""

    def __init__(
        self, store: Store, *, account_key: bytes, now: Callable[[], float], custody: Custody
    ) -> None:
        self.store = store
        self.now = now
        self.custody = custody
        self.referees: Referees = NoReferees()
        self.alarms = Alarms(self.now_ms, self._look_after)
        self.lines = Lines(
            self.now_ms,
            lambda room: self.referees.settle(room),
            pause=lambda room: self.referees.pause(room),
            alarms=self.alarms,
            custody=custody,
        )
        self._account_key = account_key
        self._rooms: OrderedDict[str, Room] = OrderedDict()
        self._flush: asyncio.TimerHandle | None = None
        self.stopping = False

    def stop(self) -> None:
        """Answer everybody who waits, now: the server is about to end. From here on no wait begins
        and nothing joins a queue; what has been decided on is finished by `close`."""
        self.stopping = True
        self.lines.stop()
        for room in self._rooms.values():
            room.bell.ring()

    async def _until(self, room: Room, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until ``condition`` holds, at most ``seconds``; return whether it does."""
        seconds = min(seconds, LONGEST_WAIT)
        await room.bell.until(lambda: self.stopping or condition(), seconds)
        return condition()

    def now_ms(self) -> int:
        return int(self.now() * 1000)

    def start_clocks(self) -> None:
        """Wait for every clock that was running when the server ended, wherever it is; those
        that have run out meanwhile ring now."""
        for channel_id, due in self.store.find(Table.TIMER, CLOCK):
            self.alarms.set(channel_id, int(due))

    def _look_after(self, channel_id: str) -> None:
        self.lines.settle_soon(self.room(channel_id))

    def room(self, channel_id: str) -> Room:
        """Return the room. An id of the wrong form is called one; an unknown id is refused
        in the words of a room where the caller has no seat."""
        if not CHANNEL_ID.fullmatch(channel_id):
            raise ChannelNotFound(f"{channel_id[:80]!r} is not a channel id")
        room = self._rooms.get(channel_id)
        if room is not None:
            self._rooms.move_to_end(channel_id)
            return room
        room = Room.load(self.store, channel_id)
        if room is None:
            raise NotMember(rules.STRANGER)
        self.custody.look_at(room)
        if hooks.due(room) is None:
            room.settle_all()
        self._keep(room)
        self.lines.settle_soon(room)
        return room

    def _keep(self, room: Room) -> None:
        self._rooms[room.channel_id] = room
        room.signer = self.custody.head
        for old in list(self._rooms)[: max(0, len(self._rooms) - ROOMS)]:
            idle = self._rooms[old]
            if not self.lines.busy(idle) and not len(idle.bell) and not idle.moved_marks:
                del self._rooms[old]

    def who(self, room: Room, account: str) -> str:
        """The account as this channel's log knows it."""
        return tokens.who(self._account_key, room.channel.origin, account)

    def seat(self, channel_id: str, account: str, label: str | None) -> Seat:
        """The seat that speaks for this account, or the reason why none does."""
        room = self.room(channel_id)
        return Seat(room, rules.seat_of(room.channel, self.who(room, account), label))

    def look(self, channel_id: str, account: str) -> tuple[Room, str]:
        """A room that this account may look at, member or creator, and its name there."""
        room = self.room(channel_id)
        who = self.who(room, account)
        if not rules.may_look(room.channel, who):
            raise NotMember(rules.STRANGER)
        return room, who

    def rooms_of(
        self, account: str, *, closed: bool = False, limit: int = 50, cursor: str | None = None
    ) -> RoomPage:
        """A page of the rooms that this account created or sits in, newest activity first; of
        the closed ones, newest first, when ``closed``. Only what is on the page is loaded; where
        the account has given up its seat the page is shorter."""
        after = None if cursor is None else _place(cursor)
        places = [
            place for place in self._places(account, closed) if after is None or place < after
        ]
        found = []
        for _, channel_id in places[:limit]:
            room = self.room(channel_id)
            who = self.who(room, account)
            seats = room.channel.seats_of(who)
            if seats or room.channel.creator == who:
                found.append((room, seats))
        more = "{}.{}".format(*places[limit - 1]) if len(places) > limit else None
        return RoomPage(tuple(found), more)

    def is_seated(self, account: str) -> bool:
        """Whether the account holds a seat anywhere, as far as its newest rooms go."""
        for closed in (False, True):
            for _, channel_id in self._places(account, closed)[:LOOKED_AT]:
                room = self.room(channel_id)
                if room.channel.seats_of(self.who(room, account)):
                    return True
        return False

    def _places(self, account: str, closed: bool = False) -> list[tuple[int, str]]:
        """When something last happened (ms) in each room of the account; the last one first."""
        if closed:
            rows = self.store.find(Table.PAST, account)
            return sorted(((int(at), channel_id) for channel_id, at in rows), reverse=True)
        places = []
        for channel_id, _ in self.store.find(Table.ACCOUNT, account):
            last = self.store.head(channel_id)
            if last is not None:
                places.append((last.ts, channel_id))
        return sorted(places, reverse=True)

    def owner(self, room: Room) -> Owner:
        """Who pays for the hooks of a room, whoever speaks in it: its creator, who attached its
        referees. As it stands in the store, so the same after a restart."""
        if room.owner is None:
            tables = (Table.ACCOUNT, Table.PAST)
            rows = [row for table in tables for row in self.store.scan(table, room.channel_id)]
            known = [account for account, _ in rows]
            creator = room.channel.creator
            account = next((one for one in known if self.who(room, one) == creator), UNKNOWN)
            network = self.store.get(Table.NETWORK, room.channel_id, CREATOR)
            room.owner = Owner(account, (network or b"").decode())
        return room.owner

    def source(self, room: Room, code_hash: str) -> str:
        """The source text that a room's bot was attached with."""
        kept = self.store.get(Table.BLOB, room.channel_id, code_hash)
        return "" if kept is None else kept.decode()

    def unread(self, seat: Seat) -> int:
        return seat.room.channel.messages - seat.room.marks.get(seat.slot.id, 0)

    async def _write_rows(self, room: Room, rows: Sequence[Row]) -> None:
        change = Append(room.channel_id, 0, b"", (), rows, unconditional=True)
        await landed(self.store.append(change))

    def _flush_soon(self) -> None:
        if self._flush is None:
            loop = asyncio.get_running_loop()
            self._flush = loop.call_later(FLUSH_MARKS, self.flush_marks)

    def flush_marks(self) -> None:
        """Write down how far everybody has read; nobody waits for it."""
        self._flush = None
        for room in self._rooms.values():
            if change := room.marks_change():
                self.store.append(change)


def _place(cursor: str) -> tuple[int, str]:
    found = _PLACE.fullmatch(cursor)
    if found is None:
        raise InvalidRequest("this cursor is not of a list of rooms", hint="Leave it out.")
    return int(found[1]), found[2]
