"""get_transcript: a member's copy of the record, by a link that needs no login.

On the other side is whoever holds the link. It names one room and one seat, is signed by
a key that nobody else has (HMAC-SHA256) and dies after a day or with the seat. What a running
game keeps secret stands behind it only if its member asked for that (`view.is_out`), and posts
refuse it like a token (`invite_codes.RECORD`). A server that says "verified" proves nothing, so
this one does not.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
from typing import Annotated, Any, Literal

from pydantic import Field

from mcp_multiplayer.channel import decide
from mcp_multiplayer.edge.api import render_json, render_text
from mcp_multiplayer.edge.api.operations.base import (
    Answer,
    ChannelId,
    Json,
    OperationsBase,
    SeatName,
)
from mcp_multiplayer.edge.identity import Caller
from mcp_multiplayer.errors import InvalidRequest, InviteInvalid, NotMember
from mcp_multiplayer.service import export, receipts
from mcp_multiplayer.service.replica import Replica, decode, step
from mcp_multiplayer.transcript.entries import b64u

LIFETIME = 86_400  #: seconds a link lives
INLINE = 64 << 10  #: bytes of entries in an inline answer
INLINE_ENTRIES = 1000
PATH = "/transcript/"
TICKET = "record_"  #: by which a post with a link is known; see `invite_codes.RECORD`
WITHOUT = "What a running game keeps private is left out; private=true puts your own words in."
WITH = "It opens your private words, so while the game runs the link is for your user alone."


class TranscriptOperations(OperationsBase):
    """See `operations`."""

    async def get_transcript(
        self,
        caller: Caller,
        channel_id: ChannelId,
        format: Literal["link", "inline"] = "link",
        entry: Annotated[int | None, Field(ge=0, description="receipt for this entry")] = None,
        since: Annotated[int | None, Field(ge=1, description="earlier size to continue")] = None,
        private: bool = False,
        seat: SeatName = None,
        message: Annotated[int | None, Field(ge=1, description="receipt for message [N]")] = None,
    ) -> Answer:
        """A 24 h download link to the room's full record, for your user to check offline with
        the verifier; or a receipt for one message. Private words are left out while the game runs;
        private=true puts yours in. The server cannot vouch for itself: never call a game verified
        because this tool answered."""
        own = self.channels.seat(channel_id, caller.account, seat)
        head = render_json.head(own.room) | render_json.key(own.room)
        if message is not None:
            if entry is not None:
                raise InvalidRequest("give either message or entry, one of the two")
            entry = _entry_of(own.room, message)
        if entry is not None or since is not None:
            return await self._receipt(own.room, entry, since, head)
        if format == "inline":
            reader = export.Reader(own.names, own.slot.since, private)
            return self._inline(own.room, reader, head)
        # `who` is the account as this channel's log knows it: the link may be passed on.
        until = int(self.channels.now()) + LIFETIME
        url = (
            caller.base_url
            + PATH
            + self._ticket([channel_id, own.slot.id, own.slot.who, until, private])
        )
        text = [
            "The record of the room, a zip; the link works for a day, without a login:",
            url,
            *_of_a_running_game(own.room, private=private),
            render_text.head(head),
            'next: give your user the link and the line log:. help("verify") says how to check it.',
        ]
        return Answer({"url": url, **head}, render_text.joined(text))

    async def _receipt(
        self, room: Replica, entry: int | None, since: int | None, head: Json
    ) -> Answer:
        """A tlog-proof of one entry, and the way from an earlier head to this one."""
        last = room.last_head()
        if last.note is None:
            raise InvalidRequest("the heads of this room are not signed, so there is no receipt")
        for asked, most in ((entry, last.size - 1), (since, last.size)):
            if asked is not None and asked > most:
                raise InvalidRequest(f"{asked} is beyond the signed record, which ends at {most}")
        made = await asyncio.to_thread(receipts.write, room, last, entry, since)
        lines = []
        if entry is not None:
            lines.append(f"A receipt {_of(made['of'])}, for your user to keep:")
            lines.append(made["receipt"].rstrip())
        if since is not None:
            lines.append(
                f"from {since} to {last.size}: {' '.join(made['consistency']) or 'nothing'}"
            )
        lines += [
            render_text.head(head),
            "next: give it to your user: the verifier takes it as --receipt FILE --me "
            "<your label>, and finds out a record that lacks this entry.",
        ]
        return Answer({**head, **made}, render_text.joined(lines))

    def _inline(self, room: Replica, reader: export.Reader, head: Json) -> Answer:
        entries: list[Json | None] = []  # None: erased
        opened: list[Json] = []
        weight = 0
        most = min(head["size"], INLINE_ENTRIES)  # what is not in the head is not signed yet
        for leaf in self.channels.store.leaves(room.channel_id, 0, most):
            own = export.openings(
                room, room.channel, step(room.channel, decode(leaf), leaf), reader
            )
            weight += len(leaf.data) + (len(json.dumps(own)) if own else 0)
            if weight > INLINE and entries:
                break
            entries.append(None if leaf.erased else json.loads(leaf.data))
            opened += own
        cut = len(entries) < head["size"]
        data = {"entries": entries, "openings": opened, "more": cut, **head}
        following = "next: for the rest: " if cut else "next: for a file: "
        link = render_text.call("get_transcript", channel_id=room.channel_id)
        text = [
            *map(render_text.quoted, entries),
            *(f"opening: {render_text.quoted(one)}" for one in opened),
            following + link,
        ]
        return Answer(data, render_text.joined(text))

    def _ticket(self, claims: list[Any]) -> str:
        payload = TICKET + b64u(json.dumps(claims).encode())
        return f"{payload}.{b64u(hmac.digest(self.ticket_key, payload.encode(), 'sha256'))}"

    async def transcript_file(self, ticket: str) -> tuple[str, bytes]:
        """Return name and bytes of the zip that ``ticket`` stands for."""
        payload, _, mac = ticket.partition(".")
        expected = b64u(hmac.digest(self.ticket_key, payload.encode(), "sha256"))
        if not hmac.compare_digest(mac.encode(), expected.encode()):
            raise InviteInvalid("this link is not one of ours", hint="Ask get_transcript again.")
        claims = payload.removeprefix(TICKET)
        read = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        channel_id, slot_id, who, until, private = read
        room = self.channels.room(channel_id)
        slot = room.channel.slot(slot_id)
        if until < self.channels.now() or slot.who != who:
            raise InviteInvalid("this link has expired", hint="Ask get_transcript again.")
        return await _file(room, export.Reader(frozenset({slot.label}), slot.since, private))

    async def watched_file(self, channel_id: str, code: str) -> tuple[str, bytes]:
        """Return name and bytes of the zip that anybody may have who may watch the room."""
        room = self.channels.room(channel_id)
        if not self.watching.may_watch(room, code):
            raise NotMember(decide.STRANGER)
        return await _file(room, export.Reader(frozenset(), 0))


async def _file(room: Replica, reader: export.Reader) -> tuple[str, bytes]:
    head = room.last_head()
    data = await asyncio.to_thread(export.write, room, room.channel, head, reader)
    return f"{room.channel_id}-{head.size}.zip", data


def _of_a_running_game(room: Replica, *, private: bool) -> list[str]:
    """What the link does with private words, as long as that is a secret of somebody's."""
    over = room.channel.status in ("ended", "closed")
    if over and not any(bot.kept.by for bot in room.channel.bots):
        return []
    return [WITH if private else WITHOUT]


def _entry_of(room: Replica, message: int) -> int:
    """The entry that holds a message."""
    newest = room.channel.messages
    if message > newest:
        raise InvalidRequest(f"there is no message {message}; the newest is {newest}")
    return room.messages_after(message - 1, 1)[0].entry


def _of(found: Json) -> str:
    """What a receipt is of: ``of entry 12, which is message 7 of alice``."""
    said = [f"message {one['id']} of {one['sender']}" for one in found["messages"]]
    if len(said) > 2:
        said = [said[0], f"{len(said) - 1} more"]
    return f"of entry {found['entry']}, which is {' and '.join(said) or found['type']}"
