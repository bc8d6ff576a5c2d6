"""What all operations stand on: the form of an answer, the managers, the caller's seat in words,
the author's log."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import Field

from mcp_multiplayer.channel.model import Slot
from mcp_multiplayer.edge.api import render_boards, render_json, render_text
from mcp_multiplayer.edge.api.patience import Patience
from mcp_multiplayer.edge.api.try_bot.runner import Trials
from mcp_multiplayer.edge.identity import Caller
from mcp_multiplayer.errors import InvalidRequest
from mcp_multiplayer.sandbox.host.fair_queue import Owner
from mcp_multiplayer.service import boards
from mcp_multiplayer.service.bot_manager import BotManager
from mcp_multiplayer.service.channel_manager import ChannelManager
from mcp_multiplayer.service.channels import Seat
from mcp_multiplayer.service.posting import live_secret
from mcp_multiplayer.service.replica import Replica
from mcp_multiplayer.service.watching import Watching

ChannelId = Annotated[str, Field(description="chn_…")]
SeatName = Annotated[str | None, Field(description="only if you hold several")]
Json = dict[str, Any]
_NEXT = "next: "
Params = Annotated[Json | None, Field(examples=[{"high": 9}])]


@dataclass(frozen=True)
class Answer:
    """``data`` is the JSON of REST, and of MCP where it is asked for; ``text`` is what a model
    reads."""

    data: dict[str, Any]
    text: str

    def complete(self) -> Answer:
        """With the last line of the text in the data, too: REST has no text."""
        last = self.text.rpartition("\n")[2]
        if not last.startswith(_NEXT):
            return self
        return replace(self, data={**self.data, "next": last.removeprefix(_NEXT)})


@dataclass(frozen=True)
class Status:
    """What health_check reports."""

    version: str
    limits: Mapping[str, Any]
    isolation: Callable[[], Mapping[str, Any]]  #: a new sandbox process is tried anew
    operator_contact: str = ""


def owner(caller: Caller) -> Owner:
    """Whose share of the sandbox the caller's own requests take."""
    return Owner(caller.account, caller.network)


class OperationsBase:
    """The base of the groups of operations."""

    def __init__(
        self,
        channels: ChannelManager,
        bots: BotManager,
        status: Status,
        watching: Watching | None = None,
        *,
        ticket_key: bytes | None = None,
    ) -> None:
        self.channels = channels
        self.bots = bots
        self.status = status
        self.watching = watching or Watching(secrets.token_bytes(32))
        self.trials = Trials(channels, bots)
        self.patience = Patience()
        #: signs links to records; without one of the server's, links die with the process
        self.ticket_key = ticket_key or secrets.token_bytes(32)

    def label(self, seat: Seat) -> str | None:
        """The seat argument for `next:`: only a caller with several seats needs it."""
        own = seat.room.channel.seats_of(seat.slot.who)
        return seat.slot.label if len(own) > 1 else None

    def way_back(self, caller: Caller) -> str:
        """What a caller who holds no seat anywhere has to know; nothing for anybody else. It is
        about the caller alone, so it may stand in any refusal."""
        if self.channels.is_seated(caller.account):
            return ""
        return render_text.way_back(self.channels.now() - caller.born if caller.born else None)

    def keep_secret(self, *said: Any) -> None:
        """Refuse arguments that hold a live code or token, for others in the room will read
        them, and so will everybody in its record."""
        secret = live_secret(json.dumps(said), self.channels.store)
        if secret:
            raise InvalidRequest(
                f"an argument holds a live {secret} code, which is secret",
                hint="Leave it out: everybody in the room would read it.",
            )

    def pending(
        self,
        busy: bool,
        data: Json,
        *,
        cut: bool | None = None,
        again: str = render_text.RESTARTING_AFTER,
    ) -> list[str]:
        """Say so when the referees had no time yet to answer what was done, and when the end of
        the server cut the wait for that (``cut``: another wait), with what to do ``again``."""
        lines = []
        if busy:
            data["pending"] = True
            lines.append(render_text.PENDING)
        if self.channels.stopping and (busy if cut is None else cut):
            data["restarting"] = again
            lines.append(f"restarting: {again}.")
        return lines

    async def room_info(
        self, caller: Caller, room: Replica, mine: Sequence[Slot], heading: str = ""
    ) -> Answer:
        """Seats, turn, board, result and bots of a room, for whoever holds the seats ``mine``."""
        view = render_json.view(room, mine)
        data: Json = {
            "view": view,
            "bots": render_json.bots(room),
            "creator": self._created(room, caller),
        }
        # The link reads what is said: not for a creator who has no seat.
        if mine or self.watching.may_watch(room, ""):
            code = self.watching.code(room.channel_id)
            data["watch_link"] = f"{caller.base_url}/watch/{room.channel_id}#{code}"
        notes = await self.author_log(room, caller, data)
        seats = [render_text.slot_line(slot) for slot in view["slots"] if slot["kind"] != "bot"]
        following = 'next: help("play") says how to go on.'
        reader: Seat | None = None
        if mine:
            playing = room.channel.turn.players if room.channel.turn else ()
            slot = next((slot for slot in mine if slot.label in playing), mine[0])
            reader = Seat(room, slot)
            page = {"cursor": room.marks.get(slot.id, 0), "more": False}
            following = self.next_move(caller, view, page, reader)
        drawn = _boards(room, reader, data)
        text = [
            heading,
            f"{render_text.title(view)}, {view['status']}. Seats: {'; '.join(seats)}.",
            *render_text.referees(view, render_text.refs(room)),
            *drawn,
            *notes,
            *self.author_log_waits(room, caller, data),
            *render_text.state(view, self.channels.now()),
            following,
        ]
        return Answer(data, render_text.joined(text))

    def next_move(self, caller: Caller, view: Json, page: Json, seat: Seat) -> str:
        """The last line for the holder of ``seat``."""
        wait_ms = self.patience.of(caller.client_id)
        return render_text.next_move(view, page, self.label(seat), wait_ms=wait_ms)

    async def author_log(
        self, room: Replica, caller: Caller, data: Json, cursor: int | None = None
    ) -> list[str]:
        """What the room's referees printed, if the caller is its creator. ``cursor``: what the
        call says it was given before."""
        if not self._created(room, caller):
            return []
        notes = await self.bots.take_author_log(room, cursor=cursor, gave=data.get("cursor"))
        if notes:
            data["author_log"] = notes
        return render_text.author_log(notes)

    def author_log_waits(self, room: Replica, caller: Caller, data: Json) -> list[str]:
        """Say to its creator that what the room's referees print comes later; the same whether or
        not something waits, for that could tell what somebody has sealed."""
        waits = room.channel.shared and room.channel.bots and room.channel.status != "closed"
        if not waits or not self._created(room, caller):
            return []
        data["author_log_waits"] = True
        return ["author log: prints and error texts come when the seed is out, for others play."]

    def _created(self, room: Replica, caller: Caller) -> bool:
        return room.channel.creator == self.channels.who(room, caller.account)


def _boards(room: Replica, reader: Seat | None, data: Json) -> list[str]:
    """What the room's referees have drawn for this reader."""
    names, since = (frozenset[str](), 0) if reader is None else (reader.names, reader.slot.since)
    told, items = [], []
    for bot_id, panels in boards.of_room(room, names, since=since):
        told += render_boards.lines(bot_id, panels)
        items += render_boards.items(bot_id, panels)
    if items:
        data["boards"] = items
    return told
