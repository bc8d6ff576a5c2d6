"""Operations of the turn: speak, read, wait, and find one's rooms again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from mcp_multiplayer.channel.model import Slot
from mcp_multiplayer.edge.api import render_json, render_text
from mcp_multiplayer.edge.api.operations.base import (
    Answer,
    ChannelId,
    Json,
    OperationsBase,
    SeatName,
)
from mcp_multiplayer.edge.identity import Caller
from mcp_multiplayer.service.hook_io import rfc3339
from mcp_multiplayer.service.replica import Replica


class MessageOperations(OperationsBase):
    """See `operations`."""

    async def post_message(
        self,
        caller: Caller,
        channel_id: ChannelId,
        body: str | Json,
        cursor: Annotated[int | None, Field(description="last cursor you were given")] = None,
        wait_ms: Annotated[int, Field(ge=0, le=45_000)] = 0,
        to: Annotated[list[str] | None, Field(examples=[["bot:dealer"]])] = None,
        kind: str = "user",
        seat: SeatName = None,
        idempotency_key: Annotated[str | None, Field(max_length=200)] = None,
        limit: Annotated[int, Field(ge=1, le=500)] = 50,
    ) -> Answer:
        """Post to the room; the reply has the referee's answer. In a game pass cursor (from your
        last result) and wait_ms=45000: the call returns when it is your turn again, the game ends
        or time is up, with everything you missed. One call is one turn. body: text ("guess 42")
        or an object. to=["bot:dealer"] seals a move from the other players; the answer says until
        when. Repeating a call with the same cursor and body does not post twice.
        """
        posted = await self.channels.post_message(
            caller.account,
            channel_id,
            body,
            kind=kind,
            to=to,
            seat=seat,
            cursor=cursor,
            idempotency_key=idempotency_key,
            wait=wait_ms / 1000,
            limit=limit,
        )
        own = posted.seat
        view, page = render_json.seat_view(own), render_json.page(own.room, posted.page)
        data: Json = {"msg_id": posted.msg_id, "ts": rfc3339(posted.ts), **page, "view": view}
        if to is not None:
            data |= render_json.own_opening(own.room, posted.msg_id, data)
        sealed = [] if to is None else render_text.sealed_post(own.room, posted.msg_id, to)
        once = cursor is not None or idempotency_key is not None
        again = (
            render_text.RESTARTING + render_text.POSTED_ONCE
            if once
            else render_text.RESTARTING_AFTER
        )
        pending = self.pending(posted.pending, data, cut=posted.cut, again=again)
        notes = await self.author_log(own.room, caller, data, cursor)
        text = [
            f"posted [{posted.msg_id}]",
            *sealed,
            *pending,
            *render_text.messages(page, view),
            *notes,
            *render_text.state(view, self.channels.now()),
            render_text.after_post(
                view, page, self.label(own), data, to, self.patience.of(caller.client_id)
            ),
        ]
        return Answer(data, render_text.joined(text))

    async def sync_messages(
        self,
        caller: Caller,
        channel_id: ChannelId,
        cursor: Annotated[int | None, Field(description="last cursor you were given")] = None,
        timeout_ms: Annotated[int, Field(ge=0, le=45_000)] = 25_000,
        until: Literal["any", "my_turn"] = "any",
        limit: Annotated[int, Field(ge=1, le=500)] = 50,
        seat: SeatName = None,
    ) -> Answer:
        """Messages after cursor, in order; waits up to timeout_ms for the first. Without cursor:
        the newest page. until="my_turn" wakes only for your turn, the end, or a message to you.
        After two empty waits stop and tell your user whose turn it is; do not poll in a loop.
        """
        synced = await self.channels.sync_messages(
            caller.account,
            channel_id,
            seat=seat,
            cursor=cursor,
            wait=timeout_ms / 1000,
            until_my_turn=until == "my_turn",
            limit=limit,
        )
        own = synced.seat
        view, page = render_json.seat_view(own), render_json.page(own.room, synced.page)
        data: Json = dict(page)
        if render_json.changes_view(synced.page) or cursor is None:
            data["view"] = view
        notes = await self.author_log(own.room, caller, data, cursor)
        restarting = self.pending(False, data, cut=synced.cut, again=render_text.RESTARTING)
        now = self.channels.now()
        nothing = render_text.nothing(page, synced.waited, synced.empty_waits)
        heard, label = page["messages"], self.label(own)
        following = self.next_move(caller, view, page, own)
        if any(one["sender"] != "system" for one in heard):
            following += render_text.again(view, heard, page)
        yours = view["turn"] is not None and view["turn"]["yours"]
        more_may_come = not yours and view["status"] in ("open", "playing")
        if synced.empty_waits >= 2 and more_may_come and not synced.cut:
            following = render_text.stop_waiting(view, page, label, now)
        said = [*nothing, *render_text.messages(page, view), *restarting, *notes]
        text = [*said, *render_text.state(view, now), following]
        return Answer(data, render_text.joined(text))

    async def list_channels(
        self,
        caller: Caller,
        closed: bool = False,
        limit: Annotated[int, Field(ge=1, le=500)] = 50,
        cursor: str | None = None,
    ) -> Answer:
        """Your rooms and seats, newest first: whose turn, how much is unread. Start here when you
        come back. closed=true: those that were closed instead.
        """
        page = self.channels.rooms_of(caller.account, closed=closed, limit=limit, cursor=cursor)
        items, lines = [], []
        for room, seats in page.rooms:
            item = self._room_item(room, seats)
            items.append(item)
            lines.append(render_text.room_line(room, seats, item, self.channels.now()))
        data: Json = {"channels": items, "more": page.cursor is not None}
        older = None
        if page.cursor is not None:
            data["cursor"] = page.cursor
            older = render_text.call("list_channels", closed=closed or None, cursor=page.cursor)
        heading = render_text.rooms_heading(
            len(items), older, closed=closed, further=cursor is not None
        )
        if not items and cursor is None and (told := self.way_back(caller)):
            heading = f"{heading} {told}"
        following = render_text.after_list(items, older)
        return Answer(data, render_text.joined([heading, *lines, following]))

    def _room_item(self, room: Replica, seats: Sequence[Slot]) -> Json:
        turn = room.channel.turn
        labels = [slot.label for slot in seats]
        marks = [room.marks.get(slot.id, 0) for slot in seats]
        cursor = min(marks, default=room.channel.messages)
        return {
            "channel_id": room.channel_id,
            "name": room.channel.name,
            "status": room.channel.status,
            "seats": labels,
            "your_turn": turn is not None and bool(set(labels) & set(turn.players)),
            "to_open": bool(set(labels) & set(render_json.to_open(room))),
            "deadline": render_json.deadline(room),
            "unread": room.channel.messages - cursor,
            "cursor": cursor,
        }
