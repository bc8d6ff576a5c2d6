"""Operations that look and change nothing: rooms, sources, presets, help, the server."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mcp_multiplayer.channel.model import Bot as Attached
from mcp_multiplayer.channel.model import Channel
from mcp_multiplayer.edge.api import render_json, render_text
from mcp_multiplayer.edge.api.answer import Answer
from mcp_multiplayer.edge.api.guides import GUIDES, help_text
from mcp_multiplayer.edge.api.operations.base import (
    ChannelId,
    Json,
    OperationsBase,
    Params,
    SeatName,
    owner,
)
from mcp_multiplayer.edge.api.try_bot import report
from mcp_multiplayer.edge.identity import Caller
from mcp_multiplayer.errors import BotNotFound, InvalidRequest
from mcp_multiplayer.service.bot_manager import BotSpec
from mcp_multiplayer.service.results import Seat

EVENTS = '{"join":"alice"} {"say":"guess 42","as":"alice"} {"wait":60} {"leave":"alice"}'


class InfoOperations(OperationsBase):
    """See `operations`."""

    async def get_channel_info(
        self, caller: Caller, channel_id: ChannelId, seat: SeatName = None
    ) -> Answer:
        """Seats, turn, result, referees."""
        room, who = self.channels.look(channel_id, caller.account)
        mine = room.channel.seats_of(who)
        if seat is not None:
            mine = (self.channels.seat(channel_id, caller.account, seat).slot,)
        view = render_json.view(room, mine)
        data: Json = {"view": view, "bots": render_json.bots(room)}
        notes = await self.author_log(room, caller, data)
        seats = [render_text.slot_line(slot) for slot in view["slots"] if slot["kind"] != "bot"]
        following = 'next: help("play") says how to go on.'
        if mine:
            playing = room.channel.turn.players if room.channel.turn else ()
            slot = next((slot for slot in mine if slot.label in playing), mine[0])
            page = {"cursor": room.marks.get(slot.id, 0), "more": False}
            following = render_text.next_move(view, page, self.label(Seat(room, slot), caller))
        text = [
            f"{render_text.title(view)}, {view['status']}. Seats: {'; '.join(seats)}.",
            *render_text.referees(view, render_text.refs(room)),
            *notes,
            *self.author_log_waits(room, caller, data),
            *render_text.state(view, self.channels.now()),
            following,
        ]
        return Answer(data, render_text.joined(text))

    async def get_bot_code(
        self,
        caller: Caller,
        channel_id: str | None = None,
        bot_id: str | None = None,
        invite_code: str | None = None,
        from_line: Annotated[int, Field(ge=1)] = 1,
    ) -> Answer:
        """Exact source, manifest, params and hashes of a referee. Hash the source yourself: sha256
        of its UTF-8 bytes.
        """
        if (channel_id is None) == (invite_code is None):
            raise InvalidRequest("give either channel_id or invite_code, one of the two")
        if channel_id is not None:
            room, _ = self.channels.look(channel_id, caller.account)
        else:
            room, _ = self.channels.look_at_invite(caller.account, str(invite_code))
        bot = bot_of(room.channel, bot_id)
        source = self.channels.source(room, bot.code_hash)
        rest = source.split("\n")[from_line - 1 :]
        if not rest:
            raise InvalidRequest(f"the source ends before line {from_line}")
        shown = "\n".join(rest)
        data: Json = {
            "bot_id": bot.id,
            "name": bot.name,
            "version": bot.version,
            "code": shown,
            "code_ref": bot.ref or "inline",
            "manifest": dict(bot.manifest),
            "params": dict(bot.params),
            "code_hash": bot.code_hash,
            "manifest_hash": bot.manifest_hash,
        }
        part = render_text.part(source, from_line)
        text = [
            f"bot:{bot.id}, code {bot.code_hash}, manifest {bot.manifest_hash}",
            f"params {render_text.quoted(dict(bot.params))}",
            "Somebody else's text from here to the line that repeats the hash:",
            *render_text.fenced(part, bot.code_hash),
            "next: "
            + (
                render_text.call(
                    "get_bot_code",
                    channel_id=channel_id,
                    invite_code=None if channel_id is not None else invite_code,
                    bot_id=bot.id,
                    from_line=part.following,
                )
                if part.following
                else "tell your user what the rules are."
            ),
        ]
        return Answer(data, render_text.joined(text))

    async def list_bots(self, caller: Caller) -> Answer:
        """Ready referees: what they play, seats, params, hash."""
        items, lines = [], []
        for bot in await self.bots.presets():
            manifest = bot.new.manifest
            items.append(
                {
                    "name": bot.new.name,
                    "version": bot.new.version,
                    "summary": manifest.get("summary", ""),
                    "seats": manifest.get("seats", []),
                    "params": manifest.get("params", {}),
                    "code_hash": bot.new.code_hash,
                    "code_ref": bot.new.ref,
                }
            )
            lines.append(f"{bot.new.name} {bot.new.version}: {manifest.get('summary', '')}")
        following = 'next: create_channel(bot_preset="GuessBot", join_as="alice")'
        return Answer({"bots": items}, render_text.joined([*lines, following]))

    async def try_bot(
        self,
        caller: Caller,
        events: Annotated[
            list[Json], Field(description=EVENTS, examples=[[{"join": "alice"}, {"wait": 60}]])
        ],
        bot_code: str | None = None,
        bot_preset: str | None = None,
        params: Params = None,
    ) -> Answer:
        """Run a referee in the real sandbox without a room, on up to 32 events; returns posts,
        state, prints, errors with line numbers. Do so before create_channel(bot_code=…).
        """
        spec = BotSpec(preset=bot_preset, code=bot_code, params=params)
        found = await self.trials.run(owner(caller), spec, events)
        return Answer(
            report.data(found), render_text.joined(report.lines(found, preset=bot_preset))
        )

    async def help(
        self,
        caller: Caller,
        topic: Annotated[str | None, Field(description=", ".join(GUIDES))] = None,
    ) -> Answer:
        """Short guides: play, host, bots (write a referee), dice, verify, errors."""
        text = help_text(topic)
        following = "next: list_channels shows your rooms; create_channel opens one."
        return Answer(
            {"topic": topic or "play", "text": text}, render_text.joined([text, following])
        )

    async def health_check(self, caller: Caller) -> Answer:
        """Version, limits, isolation of the sandbox."""
        status = self.status
        data: Json = {
            "status": "ok",
            "version": status.version,
            "limits": dict(status.limits),
            "isolation": dict(status.isolation()),
        }
        if status.operator_contact:
            data["operator_contact"] = status.operator_contact
        text = [
            f"ok, version {status.version}",
            f"limits: {render_text.quoted(data['limits'])}",
            f"isolation of referees: {render_text.quoted(data['isolation'])}",
            "next: list_channels shows your rooms.",
        ]
        return Answer(data, render_text.joined(text))


def bot_of(channel: Channel, bot_id: str | None) -> Attached:
    """The bot that is meant: the one named, or the only one there is."""
    if bot_id is None and len(channel.bots) == 1:
        return channel.bots[0]
    bot = channel.bot((bot_id or "").removeprefix("bot:"))
    if bot is None:
        names = ", ".join(other.id for other in channel.bots) or "none"
        raise BotNotFound(f"there is no bot {(bot_id or '')[:60]!r} here", hint=f"Bots: {names}.")
    return bot
