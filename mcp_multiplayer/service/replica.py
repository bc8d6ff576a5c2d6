"""A room in memory: the cached fold of its log, and what has not been settled yet. A room is
derived from the store and may be dropped whenever nobody uses it. It decides nothing (`channel`
does) and waits for nothing (`channel_manager` does).
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from mcp_multiplayer.channel import erasure, events, snapshot, view
from mcp_multiplayer.channel.apply import Place, evolve
from mcp_multiplayer.channel.events import Abort, Event, Join, Restored, Run, Tick
from mcp_multiplayer.channel.model import Channel
from mcp_multiplayer.channel.view import Message, Opening
from mcp_multiplayer.errors import BrokenLog
from mcp_multiplayer.sandbox.host.fair_queue import Owner
from mcp_multiplayer.service.notifier import Notifier
from mcp_multiplayer.storage.base import Append, Leaf, Row, Store, Table
from mcp_multiplayer.transcript import merkle
from mcp_multiplayer.transcript.canonical_json import Canonical
from mcp_multiplayer.transcript.entries import Head, place

NOTHING = Canonical({}, b"{}")  #: what a referee knows before its first hook
LIVE, PAST = "live", "past"  #: keys of a listed room's rows in `Table.LISTED`
CLOCK = "next"  #: key of a channel's row in `Table.TIMER`
RECENT = 512  #: messages kept in memory for readers who are up to date
_BATCH = 512  #: leaves read at a time when folding


@dataclass(frozen=True)
class Step:
    """One event in its place, with the state right after it."""

    entry: int
    ts: int
    event: Event
    channel: Channel
    messages: tuple[Message, ...]


@dataclass(frozen=True)
class Draft:
    """A change that was decided on ``room``'s present head and is not yet durable. ``rang``: with
    a clock that ran out."""

    steps: tuple[Step, ...]
    leaves: tuple[Leaf, ...]
    head: Head
    channel: Channel
    rang: bool = False


@dataclass(frozen=True)
class SignedHead:
    """Size and root of a log where no hook was due, and the C2SP note that says so. No note: the
    room is never signed again, or was born without signatures."""

    size: int
    root: bytes
    note: str | None = None


@dataclass
class Memory:
    """What one referee knows between hooks, and how far it has come in the log: the next
    hook to run is number ``hook`` of entry ``entry``."""

    state: Canonical  #: an object
    entry: int
    hook: int

    def row(self, channel_id: str, at: int) -> Row:
        data = b'{"state":%b,"entry":%d,"hook":%d}' % (self.state.data, self.entry, self.hook)
        return Row(Table.BOT, channel_id, str(at), data)

    @classmethod
    def read(cls, row: bytes) -> Memory:
        """What `row` has kept."""
        kept = json.loads(row)
        return cls(Canonical.of(kept["state"]), kept["entry"], kept["hook"])


@dataclass(frozen=True)
class Posted:
    """A post that may be asked for again. ``at`` is when it was made, in ms; ``since`` what
    its caller had read, so that asking again gives the same answer."""

    msg_id: int
    entry: int
    ts: int
    at: int
    since: int = 0


@dataclass(repr=False, eq=False)  # a room in a log line would put private words there
class Replica:
    """See the module. ``settled`` is the size of the log up to which all hooks have run,
    ``settled_head`` its head there and ``settled_key`` the key that the log names for it,
    ``signed`` the last one that was signed by ``signer``;
    ``arrived`` are seats not used since their holders came, with the mark they had then: the
    answer that seated them may have been lost. ``clock`` is what the store's index says of
    the next clock to run out."""

    store: Store
    channel_id: str
    channel: Channel = field(default_factory=Channel)
    head: Head = field(default_factory=Head)
    settled: int = 0
    settled_head: Head = field(default_factory=Head)
    settled_key: str = ""
    signed: SignedHead | None = None
    signer: Callable[[Replica], SignedHead] | None = None
    fresh: bool = True  #: loaded, and not yet written down what was lost or has changed
    missing: Restored | None = None  #: a head that was signed and is not in the log
    unsettled: deque[Step] = field(default_factory=deque)
    memories: dict[int, Memory] = field(default_factory=dict)
    posted: dict[str, Posted] = field(default_factory=dict)
    marks: dict[str, int] = field(default_factory=dict)
    moved_marks: set[str] = field(default_factory=set)
    arrived: dict[str, int] = field(default_factory=dict)
    empty_waits: dict[str, int] = field(default_factory=dict)
    notes: list[str] | None = None  #: keys of what is kept for its creator (`author_log`)
    handed: dict[str, int | None] = field(default_factory=dict)  #: of these, what was given once
    clock: int | None = None
    notifier: Notifier = field(default_factory=Notifier)
    owner: Owner | None = None  #: who pays for its hooks, once somebody has asked
    _recent: deque[Message] = field(default_factory=lambda: deque(maxlen=RECENT))
    _kept: int = 0  #: size of the log at the last snapshot

    @classmethod
    def load(cls, store: Store, channel_id: str) -> Replica | None:
        """Fold the log from its last snapshot, or return None when there is no such log.

        A snapshot is of a moment when no hook was due, so every entry that a referee still
        has to hear lies behind it and comes to be among the unsettled.
        """
        if store.head(channel_id) is None:
            return None
        room = cls(store, channel_id)
        kept = store.get(Table.SNAPSHOT, channel_id, "latest")
        if kept is not None and (read := snapshot.read(kept)) is not None:
            room.channel, room.head = read
            room._kept = room.head.size
        room.load_memories()
        room.load_posted()
        for key, value in store.scan(Table.MARK, channel_id):
            room.marks[key] = int(value)
        room.refresh()
        return room

    def load_memories(self) -> None:
        """Read what the referees know and how far they have come."""
        for key, value in self.store.scan(Table.BOT, self.channel_id):
            self.memories[int(key)] = Memory.read(value)

    def load_posted(self) -> None:
        """Read which posts may be asked for again, oldest first."""
        rows = self.store.scan(Table.POSTED, self.channel_id)
        known = [(key, Posted(**json.loads(value))) for key, value in rows]
        self.posted = dict(sorted(known, key=lambda pair: pair[1].at))

    def refresh(self) -> None:
        """Fold what was appended since, by us before a restart or by another node."""
        while leaves := self.store.leaves(self.channel_id, self.head.size, _BATCH):
            for leaf in leaves:
                self._fold(leaf)
        kept = self.store.get(Table.TIMER, self.channel_id, CLOCK)
        self.clock = None if kept is None else int(kept)

    def catch_up(self) -> None:
        """Another node has written: fold that. It may have run hooks too."""
        self.refresh()
        self.load_memories()
        self.load_posted()
        self.notes = None

    def _fold(self, leaf: Leaf) -> None:
        event = decode(leaf)
        size = 0 if leaf.erased else len(leaf.data)  # as for who reads the file
        channel = evolve(self.channel, event, Place(leaf.number, leaf.ts, size))
        self._adopt_step(step(channel, event, leaf))
        self.channel = channel
        ts = self.head.ts if isinstance(event, Run) else leaf.ts
        self.head = self.head.after(leaf.hash, ts)

    def _adopt_step(self, made: Step) -> None:
        self._recent.extend(made.messages)
        self.unsettled.append(made)

    def draft(self, wanted: Iterable[tuple[Event, int]], *, base: Draft | None = None) -> Draft:
        """Give the events of one step (with their time in ms) their places after ``base`` or the
        head."""
        channel, head = (base.channel, base.head) if base else (self.channel, self.head)
        steps, leaves = list(base.steps) if base else [], list(base.leaves) if base else []
        rang = base is not None and base.rang
        coming = list(wanted)
        for left, (event, ts) in zip(range(len(coming) - 1, -1, -1), coming, strict=True):
            data, after = place(head, events.write(event), ts, more=left > 0)
            when = ts if isinstance(event, Run) else after.ts
            first = channel.messages + 1
            channel = evolve(channel, event, Place(head.size, when, len(data)))
            said = view.messages(channel, event, entry=head.size, ts=when, first=first)
            steps.append(Step(head.size, when, event, channel, said))
            leaves.append(Leaf(head.size, when, channel.messages, after.last, data))
            head = after
            rang = rang or isinstance(event, Tick | Abort)
        return Draft(tuple(steps), tuple(leaves), head, channel, rang)

    def change(self, draft: Draft, rows: Sequence[Row]) -> Append:
        """What the store has to append for ``draft``; takes the moved marks along."""
        extra = [*self._put_away(draft, rows), *self._mark_rows()]
        if (due := self._clock_after(draft)) != self.clock:
            value = None if due is None else b"%d" % due
            extra.append(Row(Table.TIMER, self.channel_id, CLOCK, value))
        if self._snapshot_due():
            data = snapshot.write(self.channel, self.head)
            extra.append(Row(Table.SNAPSHOT, self.channel_id, "latest", data))
        return Append(self.channel_id, self.head.size, self.head.last, draft.leaves, extra)

    def _put_away(self, draft: Draft, rows: Sequence[Row]) -> list[Row]:
        """``rows``, and with a room that closes the rows by which its accounts find it: those of
        closed rooms grow for years. Rooms that lost entries stay in sight."""
        if draft.channel.status != "closed" or draft.channel.lost:
            return list(rows)
        here = {row.key: None for row in rows if row.table is Table.ACCOUNT}
        if self.channel.status != "closed":
            here |= dict.fromkeys(key for key, _ in self.store.scan(Table.ACCOUNT, self.channel_id))
        at = b"%d" % draft.head.ts
        return [
            *(row for row in rows if row.table is not Table.ACCOUNT),
            *(Row(Table.ACCOUNT, self.channel_id, account, None) for account in here),
            *(Row(Table.PAST, self.channel_id, account, at) for account in here),
            *(self._unlisted(at) if draft.channel.listed else ()),
        ]

    def _unlisted(self, at: bytes) -> list[Row]:
        """A listed room is found among those that are over from now on."""
        return [
            Row(Table.LISTED, self.channel_id, LIVE, None),
            Row(Table.LISTED, self.channel_id, PAST, at),
        ]

    def _clock_after(self, draft: Draft) -> int | None:
        """What the index of clocks says with ``draft``. With a tick the clock it was stays in
        it: after a crash before its hook somebody must look here, though nobody comes."""
        return self.clock if draft.rang else draft.channel.next_due

    def adopt(self, draft: Draft) -> None:
        """The store has kept ``draft``: it is the room's state from now on."""
        self.clock = self._clock_after(draft)
        if self._snapshot_due():
            self._kept = self.head.size
        for made in draft.steps:
            self._adopt_step(made)
            if isinstance(made.event, Join):
                self._begin(made.event.slot)
        self.channel, self.head = draft.channel, draft.head

    def _snapshot_due(self) -> bool:
        return not self.unsettled and self.head.size - self._kept >= snapshot.EVERY

    def last_head(self) -> SignedHead:
        """The last head with nothing pending, signed where there is somebody to sign it."""
        if self.signer is not None:
            return self.signer(self)
        return SignedHead(self.settled_head.size, self.settled_head.root)

    @property
    def unheard(self) -> bool:
        """Its referees have yet to hear something that stands in the log."""
        return self.settled < self.head.size

    def source(self, code_hash: str) -> str:
        """The source text that a bot was attached with, or what it imports."""
        kept = self.store.get(Table.BLOB, self.channel_id, code_hash)
        return "" if kept is None else kept.decode()

    def settle_all(self) -> None:
        """No hook is due any more."""
        self.unsettled.clear()
        self.settled = self.head.size
        self.settled_head = self.head
        self.settled_key = self.channel.key

    # --- readers ---------------------------------------------------------------------------

    def messages_after(self, message: int, limit: int) -> list[Message]:
        """Return at most ``limit`` messages above ``message``, as the log has
        them."""
        if message >= self.channel.messages or limit <= 0:
            return []
        oldest = self._recent[0].id if self._recent else self.channel.messages + 1
        if message + 1 >= oldest:
            start = message + 1 - oldest
            return [self._recent[n] for n in range(start, min(start + limit, len(self._recent)))]
        found: list[Message] = []
        while not found:
            leaves = self.store.leaves_after_message(self.channel_id, message, limit)
            for leaf in leaves:
                found += step(self.channel, decode(leaf), leaf).messages
            if not leaves:
                break
            found = [one for one in found if one.id > message]
            message = leaves[-1].messages
        return found[:limit]

    def opening(self, message: Message) -> Opening | None:
        """What was kept to open a private message, or None."""
        return None if message.to is None else self.opening_of(message.id)

    def opening_of(self, message: int) -> Opening | None:
        """What was kept to open the private message of this number, or None."""
        kept = self.store.get(Table.PRIVATE, self.channel_id, _private_key(message))
        return None if kept is None else json.loads(kept)

    def shown(self, message: Message, names: frozenset[str], *, since: int = 0) -> Message:
        """The message as the reader called ``names``, here since entry ``since``, may see it.

        Whoever takes a seat does not read what was whispered to its last occupant.
        """
        if message.to is None or message.entry < since or not view.opens(message, names):
            return message
        return view.open_for(message, names, self.opening(message))

    # --- marks -----------------------------------------------------------------------------

    def mark(self, slot: str, message: int) -> None:
        """This seat was given, or has named, everything up to ``message``."""
        if self.arrived.pop(slot, None) is not None:
            self.moved_marks.add(slot)
        self._move_mark(slot, message)

    def arrive(self, slot: str) -> int:
        """Return the mark from which whoever comes to this seat reads on: the same again until
        the seat is used, for the answer may be lost. On the disk the mark stays there."""
        return self.arrived.setdefault(slot, self.marks.get(slot, 0))

    def read_on_arrival(self, slot: str, message: int) -> None:
        """This seat was given everything up to ``message`` in the answer that seated it."""
        self._move_mark(slot, message)

    def _begin(self, slot: str) -> None:
        """The seat's mark was its last occupant's."""
        self.marks[slot] = self.arrived[slot] = 0
        self.moved_marks.add(slot)

    def _move_mark(self, slot: str, message: int) -> None:
        if message > self.marks.get(slot, 0):
            self.marks[slot] = message
            self.moved_marks.add(slot)

    def _mark_rows(self) -> list[Row]:
        moved, self.moved_marks = self.moved_marks, set()
        return [
            Row(Table.MARK, self.channel_id, slot, b"%d" % self._known_mark(slot))
            for slot in sorted(moved)
        ]

    def _known_mark(self, slot: str) -> int:
        return self.arrived.get(slot, self.marks[slot])

    def marks_change(self) -> Append | None:
        """The marks that moved since they were last written, as a change of rows only."""
        rows = self._mark_rows()
        return Append(self.channel_id, 0, b"", (), rows, unconditional=True) if rows else None


def decode(leaf: Leaf) -> Event:
    """Read one of our own leaves. Its bytes were canonical when they were written."""
    entry = json.loads(leaf.data)
    if leaf.erased:
        return events.read(erasure.filled_in(entry, leaf.number, None))
    if merkle.leaf_hash(leaf.data) != leaf.hash:
        raise BrokenLog(leaf.number, "the store gives other bytes than were appended")
    return events.read(entry)


def step(channel: Channel, event: Event, leaf: Leaf) -> Step:
    """Put an event into its place; ``channel`` is the state after it, or a later one."""
    first = leaf.messages - view.count(event) + 1
    shown = view.messages(channel, event, entry=leaf.number, ts=leaf.ts, first=first)
    return Step(leaf.number, leaf.ts, event, channel, shown)


def private_row(channel_id: str, message: int, opening: Opening) -> Row:
    """Keep what opens a private message beside the log."""
    return Row(Table.PRIVATE, channel_id, _private_key(message), json.dumps(opening).encode())


def _private_key(message: int) -> str:
    return f"{message:012d}"
