"""ChannelManager: every way in which a channel is changed or read.

Each operation builds a command, hands it to its channel's queue (`service.sequencer`) and
reads what the caller has missed. The rules are in `channel`, the log's form in
`transcript`, durability in `storage`; this file supplies the impure things
`channel` refuses to touch: the clock, randomness, keys and the store. Which rooms are in
memory and who may enter them: `service.channels`.

Reads never enter the queue. Waiting costs one future (`service.notifier`).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from mcp_multiplayer.channel import decide, invite_codes, terms
from mcp_multiplayer.channel.commands import (
    Command,
    Create,
    GiveUp,
    Post,
    TakeOver,
    TakeSeat,
    Update,
)
from mcp_multiplayer.channel.events import Accept, Event, Handover, Invite, Leave, Offer, Propose
from mcp_multiplayer.channel.identifiers import SlotSpec
from mcp_multiplayer.channel.model import DAY, Channel, Slot
from mcp_multiplayer.channel.ops import NEED_INVITE, Op
from mcp_multiplayer.errors import InviteInvalid, MultiplayerError, RateLimited
from mcp_multiplayer.service import invites as token_rows
from mcp_multiplayer.service import posting
from mcp_multiplayer.service.bot_manager import Bot
from mcp_multiplayer.service.channels import CREATOR, LONGEST_WAIT, LoadedChannels, Seat
from mcp_multiplayer.service.messages import Page, Watch, newest_page, page
from mcp_multiplayer.service.replica import Replica
from mcp_multiplayer.service.sequencer import Request
from mcp_multiplayer.service.signing import Signing, pin
from mcp_multiplayer.service.watching import listed_row
from mcp_multiplayer.storage.base import Row, Store, Table
from mcp_multiplayer.transcript.canonical_json import canonical, parse

HANDLED = 12.0  #: seconds a post waits for the referees at most
CLOSING = 3.0  #: seconds that hooks have to finish when the server ends


# What the operations come to. Values; the edge turns them into words.


@dataclass(frozen=True)
class Joined:
    seat: Seat
    rejoin_token: str
    page: Page


@dataclass(frozen=True)
class Posted:
    seat: Seat
    msg_id: int
    ts: int  #: ms since the epoch
    page: Page
    pending: bool  #: the referees have not finished with it yet
    cut: bool = False  #: it would still wait, but the server is about to end


@dataclass(frozen=True)
class Synced:
    seat: Seat
    page: Page
    waited: float  #: seconds
    empty_waits: int  #: in a row, this one included
    cut: bool = False  #: it would still wait, but the server is about to end


@dataclass(frozen=True)
class Updated:
    room: Replica
    invites: Mapping[str, str]  #: label -> fresh code
    proposed: bool  #: it waits for everybody's consent


class ChannelManager(LoadedChannels):
    """The operations on channels. ``limits`` are those that new rooms are born with."""

    def __init__(
        self,
        store: Store,
        *,
        account_key: bytes,
        rejoin_key: bytes,
        limits: Mapping[str, Any],
        max_rooms_per_account: int = 50,
        idle_days: int = 30,
        now: Callable[[], float] = time.time,
        mint: Callable[[int], bytes] = secrets.token_bytes,
        custody: Signing | None = None,
    ) -> None:
        custody = custody or Signing.fresh()
        super().__init__(store, account_key=account_key, now=now, custody=custody)
        self.limits = limits
        self.mint = mint
        self._rejoin_key = rejoin_key
        self._max_rooms = max_rooms_per_account
        self._idle_days = idle_days
        self._opening: list[str] = []  #: accounts whose new rooms are on their way to the disk

    # --- opening ---------------------------------------------------------------------------

    async def create_channel(
        self,
        account: str,
        *,
        host: str,
        network: str = "",
        name: str,
        slots: tuple[SlotSpec, ...],
        bots: Sequence[Bot] = (),
        join_as: str | None = None,
        entropy: str | None = None,
        listed: bool = False,
    ) -> tuple[Replica, dict[str, str]]:
        """Open a room; anybody may watch a ``listed`` one. Return it and the invite codes by seat
        label, in slot order, each with the head of the log up to its referees. ``network``: of the
        account, for `owner`.

        When this returns the room survives a crash and its referees have been told, or are
        still busy with it after 12 s.
        """
        self._check_rooms_of(account)
        channel_id = "chn_" + invite_codes.invite_code(self.mint(15)).removeprefix("inv_")
        seats = [slot.label for slot in slots if slot.kind != "bot" and slot.label != join_as]
        codes = {label: invite_codes.invite_code(self.mint(15)) for label in seats}
        command = Create(
            origin=(origin := f"{host}/c/{channel_id}"),
            name=name,
            creator=invite_codes.who(self._account_key, origin, account),
            slots=slots,
            invites={label: invite_codes.digest(code) for label, code in codes.items()},
            limits=self.limits,
            nonce=self.mint(16).hex(),
            bots=tuple(bot.new for bot in bots),
            join_as=join_as,
            entropy=entropy,
            listed=listed,
        )
        slot_of = {one.label: f"s{n}" for n, one in enumerate(slots) if one.kind != "bot"}
        rows = [
            Row(Table.ACCOUNT, channel_id, account, b""),
            Row(Table.NETWORK, channel_id, CREATOR, network.encode()),
            *([listed_row(channel_id)] if listed else []),
            *(row for bot in bots for row in bot.rows(channel_id)),
            *(token_rows.invite_row(channel_id, codes[one], slot_of[one]) for one in codes),
        ]
        if join_as in slot_of:
            rows.append(token_rows.rejoin_row(self._rejoin_key, channel_id, slot_of[join_as], 0))
        room = Replica(self.store, channel_id)
        self._keep(room)
        self._opening.append(account)
        try:
            made = decide.create(command, self.custody.host)
            await self.lines.submit(room, Request(lambda _: made, rows))
        except MultiplayerError:  # a request that was cancelled has its room opened all the same
            self._rooms.pop(channel_id, None)
            raise
        finally:
            self._opening.remove(account)
        await self._handled(room)
        return room, self._pinned(room, codes)

    def _pinned(self, room: Replica, codes: Mapping[str, str]) -> dict[str, str]:
        mark = pin(self.store, room.channel_id, room.channel) if codes else ""
        return {label: code + mark for label, code in codes.items()}

    def _check_rooms_of(self, account: str) -> None:
        alive = self.now_ms() - self._idle_days * DAY
        recent = [self.room(channel_id) for at, channel_id in self._places(account) if at > alive]
        own = [
            room
            for room in recent
            if room.channel.creator == self.who(room, account) and room.channel.status != "closed"
        ]
        count = len(own) + self._opening.count(account)
        if count >= self._max_rooms:
            raise RateLimited(
                f"you have {count} open rooms, the most an account may have",
                retry_after=3600,
                hint='Close one: update_channel with [{"op": "close"}]. list_channels shows them.',
            )

    # --- joining and leaving ---------------------------------------------------------------

    def invited(self, text: str) -> tuple[Replica, Slot]:
        """The room and seat that an invite code belongs to, whatever has become of it."""
        found = token_rows.find(self.store, text)
        if not found.is_invite:
            raise InviteInvalid("this is not an invite")
        room = self.room(found.channel_id)
        return room, room.channel.slot(found.opens["slot"])

    def look_at_invite(self, account: str, text: str) -> tuple[Replica, Slot]:
        """The room and seat of a code or token that this account could redeem."""
        found = token_rows.find(self.store, text)
        room = self.room(found.channel_id)
        who, slot = self.who(room, account), room.channel.slot(found.opens["slot"])
        if found.is_invite:
            decide.decide(room.channel, TakeSeat(who, found.digest, self.now_ms()))
        else:
            decide.decide(room.channel, TakeOver(who, slot.id, found.opens["generation"]))
        return room, slot

    async def inspect_invite(self, account: str, text: str) -> tuple[Replica, Slot, str]:
        """Return room, seat and terms of an invite that this account could redeem, and
        remember that it has looked at these terms. Uses nothing up."""
        room, slot = self.look_at_invite(account, text)
        document = terms.document(room.channel)
        seen = Row(Table.SEEN, room.channel_id, account, canonical(document))
        await self._write_rows(room, [seen])
        return room, slot, terms.digest(document)

    async def join_channel(
        self,
        account: str,
        text: str,
        *,
        expect_terms: str | None = None,
        entropy: str | None = None,
        limit: int = 50,
    ) -> Joined:
        """Take the seat of an invite, or come back with a rejoin token. ``entropy`` is the
        seat's part of the dice (`channel.entropy`), also when it comes later.

        The same account asking again gets the same seat and the same token, so a lost
        answer can be asked for again. A rejoin token of another account takes the seat
        over; everybody is told.
        """
        found = token_rows.find(self.store, text)
        room, slot_id = self.room(found.channel_id), found.opens["slot"]
        who = self.who(room, account)
        command: TakeSeat | TakeOver
        if found.is_invite:
            seen = self.store.get(Table.SEEN, room.channel_id, account)
            looked = parse(seen) if seen else None
            command = TakeSeat(who, found.digest, self.now_ms(), expect_terms, looked, entropy)
        else:
            command = TakeOver(who, slot_id, found.opens["generation"], entropy)
        generation = room.channel.slot(slot_id).generation
        rows = [
            Row(Table.ACCOUNT, room.channel_id, account, b""),
            token_rows.rejoin_row(self._rejoin_key, room.channel_id, slot_id, generation),
        ]
        await self.lines.submit(room, self._request(command, rows))
        await self._handled(room)
        own = self.seat(room.channel_id, account, room.channel.label(slot_id))  # it may be gone
        return self.own_seat(own.room, own.slot, limit)

    def own_seat(self, room: Replica, slot: Slot, limit: int = 50) -> Joined:
        """What the holder of a seat gets on taking it: its token and what was said."""
        seat = Seat(room, slot)
        token = invite_codes.rejoin_token(
            self._rejoin_key, room.channel_id, slot.id, slot.generation
        )
        missed = page(room, seat.names, room.arrive(slot.id), limit, since=slot.since)
        room.read_on_arrival(slot.id, missed.cursor)
        self._flush_soon()
        return Joined(seat, token, missed)

    async def leave_channel(self, account: str, channel_id: str, label: str | None) -> Replica:
        """Give a seat up for good; its invite and rejoin token are void."""
        seat = self.seat(channel_id, account, label)
        command = GiveUp(seat.slot.who, seat.slot.label)

        def rows_of(before: Channel, happened: Sequence[Event]) -> list[Row]:
            """Also of a seat that the others wanted to empty, and this one had not agreed."""
            gone = [before.slot(event.slot) for event in happened if isinstance(event, Leave)]
            key = self._rejoin_key
            return [row for slot in gone for row in token_rows.void_rows(key, channel_id, slot)]

        await self.lines.submit(seat.room, replace(self._request(command, ()), rows_of=rows_of))
        await self._handled(seat.room)
        return seat.room

    # --- changing --------------------------------------------------------------------------

    async def update_channel(
        self,
        account: str,
        channel_id: str,
        ops: tuple[Op, ...],
        *,
        bots: Mapping[int, Bot],
        seat: str | None = None,
    ) -> Updated:
        """Carry ops out, all or none, or put them before everybody when they touch the
        terms that others have accepted."""
        room, who = self.look(channel_id, account)
        fresh = {
            place: invite_codes.invite_code(self.mint(15))
            for place, op in enumerate(ops)
            if op.op in NEED_INVITE
        }
        hashes = {place: invite_codes.digest(code) for place, code in fresh.items()}
        codes = {hashes[place]: code for place, code in fresh.items()}

        def rows_of(before: Channel, happened: Sequence[Event]) -> list[Row]:
            """The codes that this made, and those that it voided: an op may only be proposed, or
            carried out when somebody else accepts."""
            rows: list[Row] = []
            for event in happened:
                if isinstance(event, Leave | Invite):
                    gone = before.slot(event.slot)
                    rows += token_rows.void_rows(self._rejoin_key, channel_id, gone)
                if isinstance(event, Handover):  # who pays for hooks is another; see `owner`
                    rows.append(Row(Table.NETWORK, channel_id, CREATOR, None))
                if isinstance(event, Invite):
                    code = codes[event.hash]
                    rows.append(token_rows.invite_row(channel_id, code, event.slot))
            return rows

        command = Update(who, seat, ops, {n: bot.new for n, bot in bots.items()}, hashes)
        blobs = [row for bot in bots.values() for row in bot.rows(channel_id)]
        request = self._request(command, blobs)
        outcome = await self.lines.submit(room, replace(request, rows_of=rows_of))
        await self._handled(room)
        made = [step.event for step in outcome.steps if isinstance(step.event, Invite)]
        invites = {room.channel.label(event.slot): codes[event.hash] for event in made}
        if any(isinstance(step.event, Handover) for step in outcome.steps):
            room.owner = None
        asked = any(isinstance(step.event, Propose | Offer | Accept) for step in outcome.steps)
        invites = self._pinned(room, invites)
        return Updated(room, invites, proposed=asked and room.channel.proposal is not None)

    def _request(self, command: Command, rows: Sequence[Row]) -> Request:
        return Request(partial(decide.decide, command=command, host=self.custody.host), rows)

    # --- speaking and reading --------------------------------------------------------------

    async def post_message(
        self,
        account: str,
        channel_id: str,
        body: str | Mapping[str, Any],
        *,
        kind: str = "user",
        to: Sequence[str] | None = None,
        seat: str | None = None,
        cursor: int | None = None,
        idempotency_key: str | None = None,
        wait: float = 0.0,
        limit: int = 50,
    ) -> Posted:
        """Say something, wait until the referees have heard it (12 s at most) and return
        what this seat has missed. With ``wait`` (seconds) go on waiting for its turn.

        The same ``cursor`` and body within ten minutes, or the same key, is the same post.
        """
        own = self.seat(channel_id, account, seat)
        room, slot = own.room, own.slot
        if cursor is not None and not 0 <= cursor <= room.channel.messages:
            page(room, own.names, cursor, 1)  # says what is wrong with the cursor
        words = posting.prepare(
            body,
            private=to is not None,
            store=self.store,
            mint=self.mint,
            most=room.channel.limits["body_kb"] << 10,
        )
        occupancy = f"{slot.id}.{slot.generation}"
        repeat = posting.repeat_key(
            occupancy, kind, words.body, to, cursor=cursor, key=idempotency_key
        )
        if repeat not in room.posted:
            self.lines.bots.admit(room)
        command = Post(
            slot.who,
            slot.label,
            kind,
            words.body,
            words.size,
            None if to is None else tuple(to),
            words.sealed,
        )
        start = room.marks.get(slot.id, 0) if cursor is None else cursor
        asked = partial(decide.decide, command=command)
        request = Request(asked, (), words.opening, repeat, start)
        outcome = await self.lines.submit(room, request)
        posted = outcome.posted
        assert posted is not None
        start = posted.since if cursor is None else cursor
        over = await self._handled(room, posted.entry + 1)
        pending = not over
        if wait > 0 and not pending:
            watch = Watch(room, slot.label, start)
            over = await room.notifier.until(watch.my_turn, min(wait, LONGEST_WAIT))
        own = own.now()  # it may have been taken over meanwhile
        missed = self._read(own, start, limit, but=posted.msg_id)
        return Posted(own, posted.msg_id, posted.ts, missed, pending, self.stopping and not over)

    async def sync_messages(
        self,
        account: str,
        channel_id: str,
        *,
        seat: str | None = None,
        cursor: int | None = None,
        wait: float = 25.0,
        until_my_turn: bool = False,
        limit: int = 50,
    ) -> Synced:
        """Return what follows ``cursor``, waiting up to ``wait`` seconds for the first of it.
        Without a cursor: the newest page, at once."""
        own = self.seat(channel_id, account, seat)
        room, slot = own.room, own.slot
        began = time.monotonic()
        if cursor is None and not until_my_turn:
            missed = newest_page(room, own.names, limit, since=slot.since)
            room.mark(slot.id, missed.cursor)
            self._flush_soon()
            return Synced(own, missed, 0.0, 0)
        after = room.marks.get(slot.id, 0) if cursor is None else cursor
        page(room, own.names, after, 1)  # a wrong cursor is refused before the wait
        watch = Watch(room, slot.label, after)
        condition = watch.my_turn if until_my_turn else watch.anything
        found = await room.notifier.until(condition, min(wait, LONGEST_WAIT))
        cut = self.stopping and not found and wait > 0
        own = own.now()  # it may have been taken over meanwhile
        missed = self._read(own, after, limit)
        empty = room.empty_waits.get(slot.id, 0) + (0 if cut else 1)
        empty = 0 if found or missed.messages or not wait else empty
        room.empty_waits[slot.id] = empty
        return Synced(own, missed, time.monotonic() - began, empty, cut)

    def _read(self, seat: Seat, after: int, limit: int, *, but: int = 0) -> Page:
        missed = page(seat.room, seat.names, after, limit, but=but, since=seat.slot.since)
        seat.room.mark(seat.slot.id, missed.cursor)
        if self._flush is None:
            self._flush_soon()
        return missed

    async def _handled(self, room: Replica, size: int | None = None) -> bool:
        """Wait until the referees have heard the first ``size`` entries (all there are)."""
        heard = room.head.size if size is None else size
        return await room.notifier.until(lambda: room.settled >= heard, HANDLED)

    async def close(self) -> None:
        """Finish what was begun, for a moment, write the marks down and let go of the store."""
        self.stop()
        self.alarms.close()
        await self.lines.finish(CLOSING)
        if self._flush is not None:
            self._flush.cancel()
        self.flush_marks()
        self.store.close()
