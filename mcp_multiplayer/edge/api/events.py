"""Server-sent events of a room, for pages (WHATWG HTML, "Server-sent events").

On the other side is a page that stays open for hours, of somebody who has a seat, has opened the
room, or only watches. It is no reader with a mark: what a page shows moves no `unread` of the
player's agent. A stream begins with what the page lacks and goes on with each change of the log;
the id of an event is the cursor after it, so whoever was cut off goes on there and misses nothing.
Those who watch all get the same bytes.

    event: room
    id: 17
    data: {"messages": [...], "cursor": 17, "more": false, "view": {...}, "log": "log: ...",
    data:  "bots": [...], "could_cheat": [...], "now": ...}

``view``, ``messages`` and ``log`` are what the operations give the same reader, ``now`` is the
server's clock in ms. ``bots`` come first and when they change, and with them who could cheat; each
has its manifest and ``since``, the entry with which it came, for what its panels draw.
``event: end`` says that nothing follows and why: "closed", "gone" (the seat is another's),
"restarting" (come again). A comment comes every 20 seconds, so that a dead connection is noticed.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from mcp_multiplayer.channel import decide
from mcp_multiplayer.edge.api import cards, render_json, render_text, rest
from mcp_multiplayer.edge.api.envelope import STREAM
from mcp_multiplayer.edge.identity import Caller, Identify
from mcp_multiplayer.edge.until_gone import until_gone
from mcp_multiplayer.errors import InvalidRequest, MultiplayerError, NotMember, RateLimited
from mcp_multiplayer.service.boards import LOOK_BACK
from mcp_multiplayer.service.channel_manager import ChannelManager
from mcp_multiplayer.service.messages import PAGE_MESSAGES, page
from mcp_multiplayer.service.replica import Replica
from mcp_multiplayer.service.watching import Watching

BEAT_SECONDS = 20.0
_KEPT = 256  #: rooms of which the last event for those who watch is remembered
_HEADERS = [
    (b"content-type", f"{STREAM}; charset=utf-8".encode()),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]
NOBODY = frozenset[str]()
Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Reader:
    """Whose eyes look. ``labels``: the seats that are "you" in the view; ``name`` reads what is
    said to it alone, since entry ``since``. ``reads``: whether it may read messages at all, as
    whoever opened a room and has no seat may not."""

    labels: frozenset[str] = NOBODY
    name: str = ""
    since: int = 0
    reads: bool = True


@dataclass(frozen=True)
class Shown:
    """One event as it goes out, and where it ends."""

    data: bytes
    cursor: int
    more: bool


class Events:
    """Streams rooms. ``most``: open streams of one account."""

    def __init__(self, channels: ChannelManager, watching: Watching, most: int) -> None:
        self._channels = channels
        self.watching = watching
        self._most = most
        self._open: Counter[str] = Counter()
        self._last: OrderedDict[str, tuple[tuple[Any, ...], Shown]] = OrderedDict()

    def of_account(self, identify: Identify) -> Endpoint:
        """The endpoint for whoever has a seat in the room or has opened it."""

        async def endpoint(request: Request) -> Response:
            caller, wish = identify(request.scope), _Wish.read(request)

            def look() -> Reader:
                return self._reader(caller, wish)

            look()
            self._enter(caller)
            return _Stream(self, wish, look, lambda: self._leave(caller))

        return _refusing(endpoint)

    def of_watcher(self) -> Endpoint:
        """The endpoint for anybody who may watch."""

        async def endpoint(request: Request) -> Response:
            wish, code = _Wish.read(request), request.query_params.get("watch", "")

            def look() -> Reader:
                if not self.watching.may_watch(self._channels.room(wish.channel_id), code):
                    raise NotMember(decide.STRANGER)
                return Reader()

            look()
            return _Stream(self, wish, look, lambda: None)

        return _refusing(endpoint)

    def _reader(self, caller: Caller, wish: _Wish) -> Reader:
        room, who = self._channels.look(wish.channel_id, caller.account)
        seats = room.channel.seats_of(who)
        if not seats and wish.seat is None:
            return Reader(reads=self.watching.may_watch(room, ""))
        slot = decide.seat_of(room.channel, who, wish.seat)
        return Reader(frozenset({slot.label}), slot.label, slot.since)

    def _enter(self, caller: Caller) -> None:
        if self._open[caller.account] >= self._most:
            raise RateLimited(
                f"{self._most} pages of this player are open, the most there may be",
                retry_after=30,
                hint="Close one of them.",
            )
        self._open[caller.account] += 1

    def _leave(self, caller: Caller) -> None:
        self._open[caller.account] -= 1
        if not self._open[caller.account]:
            del self._open[caller.account]

    def shown(self, room: Replica, reader: Reader, cursor: int, known: object) -> Shown:
        """The next event of a stream that has come to ``cursor`` and knows the bots ``known``."""
        key = (cursor, room.head.size, room.settled, bots_of(room) == known)
        last = self._last.get(room.channel_id)
        if reader == Reader() and last is not None and last[0] == key:
            return last[1]
        made = self._make(room, reader, cursor, known)
        if reader == Reader():
            self._last[room.channel_id] = (key, made)
            self._last.move_to_end(room.channel_id)
            if len(self._last) > _KEPT:
                self._last.popitem(last=False)
        return made

    def _make(self, room: Replica, reader: Reader, cursor: int, known: object) -> Shown:
        data: dict[str, Any] = {"messages": [], "cursor": cursor, "more": False}
        if reader.reads:
            names = frozenset({reader.name}) if reader.name else NOBODY
            read = page(room, names, cursor, PAGE_MESSAGES, since=reader.since)
            data = render_json.page(room, read)
        slots = [slot for slot in room.channel.slots if slot.label in reader.labels]
        data["view"] = render_json.view(room, slots)
        if bots_of(room) != known:
            data["bots"] = [
                item | {"manifest": dict(bot.manifest), "since": bot.at, "ships": bool(bot.ref)}
                for item, bot in zip(render_json.bots(room), room.channel.bots, strict=True)
            ]
            data["could_cheat"] = cards.could_cheat(room.channel)
        data["log"] = render_text.log(data["view"])
        data["now"] = self._channels.now_ms()
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        event = f"event: room\nid: {data['cursor']}\ndata: {text}\n\n"
        return Shown(event.encode("utf-8", "replace"), data["cursor"], data["more"])

    async def stream(self, wish: _Wish, look: Callable[[], Reader], send: Send) -> str:
        """Send events until there is a reason to end, and return it."""
        known: object = None
        cursor = wish.cursor
        while True:
            try:
                reader = look()
            except MultiplayerError:
                return "gone"
            # Anew each time: a room that nobody waits for may be loaded a second time.
            room = self._channels.room(wish.channel_id)
            if cursor is None or cursor > room.channel.messages:
                cursor = max(0, room.channel.messages - LOOK_BACK)
            seen = (room.head.size, room.settled)
            shown = self.shown(room, reader, cursor, known)
            known, cursor = bots_of(room), shown.cursor
            await send({"type": "http.response.body", "body": shown.data, "more_body": True})
            if shown.more:
                # The connection says that it is full one turn of the loop later
                # (`uvicorn_protocol.BatchedTransport`); without it all of a room would be made.
                await asyncio.sleep(0)
                continue
            if room.channel.status == "closed" and room.settled == room.head.size:
                return "closed"
            if await self._beats(wish.channel_id, seen, send):
                return "restarting"

    async def _beats(self, channel_id: str, seen: tuple[int, int], send: Send) -> bool:
        """Wait for a change, with a sign of life now and then; return whether the server ends."""
        while True:
            room = self._channels.room(channel_id)

            def changed(room: Replica = room) -> bool:
                return (room.head.size, room.settled) != seen

            if await room.notifier.until(changed, BEAT_SECONDS):
                return False
            if self._channels.stopping:
                return True
            await send({"type": "http.response.body", "body": b":\n\n", "more_body": True})


def bots_of(room: Replica) -> object:
    """What has to be told anew when it is another."""
    return [(bot.id, bot.at) for bot in room.channel.bots]


@dataclass(frozen=True)
class _Wish:
    """What a page asks for. ``cursor`` None: the newest, as far back as boards are looked for."""

    channel_id: str
    seat: str | None
    cursor: int | None

    @classmethod
    def read(cls, request: Request) -> _Wish:
        query = request.query_params
        after = request.headers.get("last-event-id") or query.get("cursor")
        if after is not None and not (after.isascii() and after.isdigit() and len(after) < 16):
            raise InvalidRequest("cursor must be a whole number", hint="Leave it out.")
        cursor = None if after is None else int(after)
        return cls(query.get("channel_id", ""), query.get("seat"), cursor)


class _Stream(Response):
    """The answer: events until the page goes away or nothing follows."""

    def __init__(
        self, events: Events, wish: _Wish, look: Callable[[], Reader], left: Callable[[], None]
    ) -> None:
        self._events = events
        self._wish = wish
        self._look = look
        self._left = left

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with until_gone(receive):
                await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
                why = await self._events.stream(self._wish, self._look, send)
                end = f"event: end\ndata: {why}\n\n".encode()
                await send({"type": "http.response.body", "body": end, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            self._left()


def _refusing(endpoint: Endpoint) -> Endpoint:
    """The endpoint, with a refusal before the stream begins as an ordinary answer."""

    async def asked(request: Request) -> Response:
        try:
            return await endpoint(request)
        except MultiplayerError as error:
            return rest.refusal(error)

    return asked
