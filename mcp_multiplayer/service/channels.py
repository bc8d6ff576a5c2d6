"""Rooms in memory: which are loaded, who may enter one, how far everybody has read. The manager's
operations stand on it; it changes no channel itself.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mcp_multiplayer.channel import decide, invite_codes
from mcp_multiplayer.channel.identifiers import CHANNEL_ID
from mcp_multiplayer.channel.model import Slot
from mcp_multiplayer.errors import ChannelNotFound, InvalidRequest, NotMember
from mcp_multiplayer.sandbox.host.fair_queue import Owner
from mcp_multiplayer.service import hooks
from mcp_multiplayer.service.replica import CLOCK, Replica
from mcp_multiplayer.service.scheduler import Scheduler
from mcp_multiplayer.service.sequencer import Bots, Sequencer
from mcp_multiplayer.service.signing import Signing
from mcp_multiplayer.storage.base import Append, Row, Store, Table
from mcp_multiplayer.storage.commits import to_future

_PLACE = re.compile(rf"([0-9]{{1,15}})\.({CHANNEL_ID.pattern})")  #: in a list of rooms
ROOMS = 1024  #: folds kept in memory
LONGEST_WAIT = 45.0  #: seconds; hosted clients give up between 45 and 300
CREATOR = "creator"  #: key of the row that names its network
UNKNOWN = "unknown"  #: pays where no row of a creator is left; nobody's account
LOOKED_AT = 50  #: rooms of an account, open and closed ones, in search of a seat
FLUSH_MARKS = 2.0  #: seconds a mark may be in memory only; losing it repeats messages


@dataclass(frozen=True)
class Seat:
    """A caller in a room: whose eyes look and whose mark moves."""

    room: Replica
    slot: Slot

    def now(self) -> Seat:
        """The same seat as it is now, or the refusal of somebody who has lost it."""
        own = self.slot
        for slot in self.room.channel.places:
            if (slot.id, slot.generation, slot.who) == (own.id, own.generation, own.who):
                return Seat(self.room, slot)
        return Seat(self.room, decide.seat_of(self.room.channel, self.slot.who, self.slot.label))

    @property
    def names(self) -> frozenset[str]:
        return frozenset({self.slot.label})


@dataclass(frozen=True)
class ChannelPage:
    """Rooms with the seats an account has there. ``cursor``: where the next page begins."""

    rooms: tuple[tuple[Replica, tuple[Slot, ...]], ...]
    cursor: str | None


class LoadedChannels:
    """See the module."""

    def __init__(
        self, store: Store, *, account_key: bytes, now: Callable[[], float], custody: Signing
    ) -> None:
        self.store = store
        self.now = now
        self.custody = custody
        self.alarms = Scheduler(self.now_ms, self._look_after)
        self.lines = Sequencer(self.now_ms, owner=self.owner, alarms=self.alarms, custody=custody)
        self._account_key = account_key
        self._rooms: OrderedDict[str, Replica] = OrderedDict()
        self._flush: asyncio.TimerHandle | None = None
        self.stopping = False

    @property
    def referees(self) -> Bots:
        """What runs hooks; set by whoever has a sandbox, and until then nothing is ever due."""
        return self.lines.bots

    @referees.setter
    def referees(self, bots: Bots) -> None:
        self.lines.bots = bots

    def stop(self) -> None:
        """Answer everybody who waits, now: the server is about to end. From here on no wait begins
        and nothing joins a queue; what has been decided on is finished by `close`."""
        self.stopping = True
        self.lines.stop()
        for room in self._rooms.values():
            room.notifier.close()

    def now_ms(self) -> int:
        return int(self.now() * 1000)

    def start_clocks(self) -> None:
        """Wait for every clock that was running when the server ended, wherever it is; those
        that have run out meanwhile ring now."""
        for channel_id, due in self.store.find(Table.TIMER, CLOCK):
            self.alarms.set(channel_id, int(due))

    def _look_after(self, channel_id: str) -> None:
        self.lines.settle_soon(self.room(channel_id))

    def room(self, channel_id: str) -> Replica:
        """Return the room. An id of the wrong form is called one; an unknown id is refused
        in the words of a room where the caller has no seat."""
        if not CHANNEL_ID.fullmatch(channel_id):
            raise ChannelNotFound(f"{channel_id[:80]!r} is not a channel id")
        room = self._rooms.get(channel_id)
        if room is not None:
            self._rooms.move_to_end(channel_id)
            return room
        room = Replica.load(self.store, channel_id)
        if room is None:
            raise NotMember(decide.STRANGER)
        self.custody.look_at(room)
        if hooks.due(room) is None:
            room.settle_all()
        self._keep(room)
        self.lines.settle_soon(room)
        return room

    def _keep(self, room: Replica) -> None:
        self._rooms[room.channel_id] = room
        if self.stopping:
            room.notifier.close()
        room.signer = self.custody.head
        for old in list(self._rooms)[: max(0, len(self._rooms) - ROOMS)]:
            idle = self._rooms[old]
            if not self.lines.busy(idle) and not len(idle.notifier) and not idle.moved_marks:
                del self._rooms[old]

    def who(self, room: Replica, account: str) -> str:
        """The account as this channel's log knows it."""
        return invite_codes.who(self._account_key, room.channel.origin, account)

    def seat(self, channel_id: str, account: str, label: str | None) -> Seat:
        """The seat that speaks for this account, or the reason why none does."""
        room = self.room(channel_id)
        return Seat(room, decide.seat_of(room.channel, self.who(room, account), label))

    def look(self, channel_id: str, account: str) -> tuple[Replica, str]:
        """A room that this account may look at, member or creator, and its name there."""
        room = self.room(channel_id)
        who = self.who(room, account)
        if not decide.may_look(room.channel, who):
            raise NotMember(decide.STRANGER)
        return room, who

    def rooms_of(
        self, account: str, *, closed: bool = False, limit: int = 50, cursor: str | None = None
    ) -> ChannelPage:
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
        return ChannelPage(tuple(found), more)

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

    def owner(self, room: Replica) -> Owner:
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

    def unread(self, seat: Seat) -> int:
        return seat.room.channel.messages - seat.room.marks.get(seat.slot.id, 0)

    async def _write_rows(self, room: Replica, rows: Sequence[Row]) -> None:
        change = Append(room.channel_id, 0, b"", (), rows, unconditional=True)
        await to_future(self.store.append(change))

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
