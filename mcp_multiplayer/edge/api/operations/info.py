"""Operations that look and change nothing: rooms, sources, presets, help, the server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from mcp_multiplayer.channel.commands import NewBot
from mcp_multiplayer.channel.model import Bot as Attached
from mcp_multiplayer.channel.model import Channel
from mcp_multiplayer.edge.api import render_text
from mcp_multiplayer.edge.api.guides import FOLLOWING, GUIDES, help_text
from mcp_multiplayer.edge.api.operations.base import (
    Answer,
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
from mcp_multiplayer.service.bot_manager import BUILTIN, BotSpec

EVENTS = (
    '{"join":"alice"} {"say":"guess 42","as":"alice"} (sealed: "to":["bot:id"]) {"wait":60}'
    ' {"leave":"alice"}'
)


class InfoOperations(OperationsBase):
    """See `operations`."""

    async def get_channel_info(
        self, caller: Caller, channel_id: ChannelId, seat: SeatName = None
    ) -> Answer:
        """Seats, turn, board, result, bots."""
        room, who = self.channels.look(channel_id, caller.account)
        mine = room.channel.seats_of(who)
        if seat is not None:
            mine = (self.channels.seat(channel_id, caller.account, seat).slot,)
        return await self.room_info(caller, room, mine)

    async def get_bot_code(
        self,
        caller: Caller,
        channel_id: str | None = None,
        bot_id: str | None = None,
        invite_code: str | None = None,
        from_line: Annotated[int, Field(ge=1)] = 1,
        library: bool = False,
        bot_preset: str | None = None,
    ) -> Answer:
        """Exact source, manifest, params and hashes of a referee: of a room, an invite or a
        preset. Hash the source yourself: sha256 of its UTF-8 bytes. library=true: the text that
        it imports as `referee`.
        """
        asked = {
            "channel_id": channel_id,
            "invite_code": invite_code,
            "bot_preset": bot_preset,
        }
        if sum(given is not None for given in asked.values()) != 1:
            raise InvalidRequest(f"give one of {', '.join(asked)}")
        if bot_preset is not None:
            found = await self._of_preset(bot_preset)
        else:
            found = self._of_room(caller, channel_id, invite_code, bot_id)
        bot = found.bot
        named = bot.library if library else bot.code_hash
        if named is None:
            raise InvalidRequest(
                f"bot:{found.bot_id} imports no library", hint="Leave library out."
            )
        source = found.text(named)
        rest = source.split("\n")[from_line - 1 :]
        if not rest:
            raise InvalidRequest(f"the source ends before line {from_line}")
        data = {"bot_id": found.bot_id, "code": "\n".join(rest)}
        data |= {"library": named} if library else _facts(bot)
        part = render_text.part(source, from_line)
        following = found.following
        if part.following:
            following = render_text.call(
                "get_bot_code",
                **asked,
                bot_id=None if bot_preset is not None else found.bot_id,
                from_line=part.following,
                library=library or None,
            )
        text = [
            *render_text.hashes(found.bot_id, bot, library=library),
            *render_text.fenced(part, named),
            render_text.hashed(part, source, from_line),
            f"next: {following}",
        ]
        return Answer(data, render_text.joined(text))

    async def _of_preset(self, preset: str) -> Source:
        made = await self.bots.prepare(BotSpec(preset=preset))
        texts = {made.new.code_hash: made.source, made.new.library: made.library}
        name = preset.removeprefix(BUILTIN)
        opens = render_text.call("create_channel", bot_preset=name, join_as=made.seats[0])
        return Source(made.new.label, made.new, texts.__getitem__, f"{opens} opens a room with it.")

    def _of_room(
        self, caller: Caller, channel_id: str | None, invite_code: str | None, bot_id: str | None
    ) -> Source:
        following = "tell your user what the rules are"
        if channel_id is not None:
            room, _ = self.channels.look(channel_id, caller.account)
            again = render_text.call("sync_messages", channel_id=channel_id)
            following += f"; {again} shows where the room is."
        else:
            room, _ = self.channels.look_at_invite(caller.account, str(invite_code))
            again = render_text.call("inspect_invite", invite_code=invite_code)
            following += f"; {again} shows who could cheat, and the terms to join with."
        bot = bot_of(room.channel, bot_id)
        return Source(bot.id, bot, room.source, following)

    async def list_bots(self, caller: Caller) -> Answer:
        """Ready referees: rules in a line, seats, moves, params with defaults, hash."""
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
                    "moves": manifest.get("moves", []),
                    "code_hash": bot.new.code_hash,
                    "code_ref": bot.new.ref,
                }
            )
            lines.append(render_text.preset(bot.new))
        following = (
            'next: create_channel(bot_preset="GuessBot", join_as="alice"); before that, '
            'get_bot_code(bot_preset="GuessBot") shows its rules.'
        )
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
        named = topic or "play"
        following = f"next: {FOLLOWING[named]}"
        return Answer({"topic": named, "text": text}, render_text.joined([text, following]))

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


@dataclass(frozen=True)
class Source:
    """A referee whose source is read: a room's or a preset. ``text`` gives a text by its hash,
    ``following`` is what to do when all of it was read."""

    bot_id: str
    bot: Attached | NewBot
    text: Callable[[str], str]
    following: str


def _facts(bot: Attached | NewBot) -> Json:
    """What get_bot_code says of a referee beside its source."""
    return {
        "name": bot.name,
        "version": bot.version,
        "code_ref": bot.ref or "inline",
        "manifest": dict(bot.manifest),
        "params": dict(bot.params),
        "code_hash": bot.code_hash,
        "manifest_hash": bot.manifest_hash,
        **({} if bot.library is None else {"library": bot.library}),
    }


def bot_of(channel: Channel, bot_id: str | None) -> Attached:
    """The bot that is meant: the one named, or the only one there is."""
    if bot_id is None and len(channel.bots) == 1:
        return channel.bots[0]
    bot = channel.bot((bot_id or "").removeprefix("bot:"))
    if bot is None:
        names = ", ".join(other.id for other in channel.bots) or "none"
        raise BotNotFound(f"there is no bot {(bot_id or '')[:60]!r} here", hint=f"Bots: {names}.")
    return bot
