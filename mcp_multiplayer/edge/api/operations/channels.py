"""Operations that open, enter, leave and change a room."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field

from mcp_multiplayer.channel import decide, terms
from mcp_multiplayer.channel.identifiers import slot_specs
from mcp_multiplayer.channel.invite_codes import whole_code_in
from mcp_multiplayer.channel.ops import BRING_BOT, read_ops
from mcp_multiplayer.edge.api import create_args, render_json, render_text
from mcp_multiplayer.edge.api.operations.base import (
    Answer,
    ChannelId,
    Json,
    OperationsBase,
    Params,
    SeatName,
    owner,
)
from mcp_multiplayer.edge.identity import Caller
from mcp_multiplayer.errors import InvalidRequest, SlotAlreadyFilled, TooLarge
from mcp_multiplayer.service.bot_manager import Bot, BotSpec
from mcp_multiplayer.service.replica import Replica

Entropy = Annotated[
    str | None,
    Field(
        description="your part of the dice: 32+ characters nobody can guess, from your code tool "
        "or mashed keys. If the call fails, repeat it with the SAME value"
    ),
]
Slots = Annotated[
    list[str] | None,
    Field(
        description="bot:label, invite:label, invite:label:admin, watch:label (a spectator), "
        "in order. Default: what the preset needs",
        examples=[["bot:referee", "invite:alice", "invite:bob"]],
    ),
]
Bots = Annotated[
    list[Json] | None,
    Field(description="several referees", examples=[[{"code_ref": "builtin://GuessBot"}]]),
]
Ops = Annotated[list[Json], Field(examples=[[{"op": "start"}]])]
Source = Annotated[str | None, Field(description="Python source of your own referee")]
JoinAs = Annotated[str | None, Field(description="label of the seat you take at once")]


class ChannelOperations(OperationsBase):
    """See `operations`."""

    async def create_channel(
        self,
        caller: Caller,
        name: Annotated[str, Field(description="title, shown to guests")] = "",
        slots: Slots = None,
        bot_preset: str | None = None,
        bot_code: Source = None,
        bots: Bots = None,
        bot_params: Params = None,
        join_as: JoinAs = None,
        entropy: Entropy = None,
        listed: Annotated[bool, Field(description="anybody may watch")] = False,
    ) -> Answer:
        """Open a room with a referee bot and get one invite per free seat.

        Shortest: create_channel(bot_preset="GuessBot", join_as="alice"): two seats, you in the
        first. list_bots names the presets; help("bots") shows how to write your own.

        Give each invite link to one person; they paste it to their agent. Links are shown only
        here (a lost one: update_channel reissue_invite). Without an admin seat nobody can change
        the referee once somebody else has joined.
        """
        specs = create_args.specs(bot_preset, bot_code, bots, bot_params)
        most = self.channels.limits["seats"]
        if len(specs) > most:  # before a sandbox looks at each of them
            raise TooLarge(f"{len(specs)} bots; a room has at most {most} slots")
        prepared = [await self.bots.prepare(spec, owner=owner(caller)) for spec in specs]
        self.keep_secret(name, slots, entropy, bot_code, bots, bot_params)
        wanted = slots if slots else create_args.default(prepared, join_as)
        room, codes = await self.channels.create_channel(
            caller.account,
            host=urlsplit(caller.base_url).netloc,
            network=caller.network,
            name=name.strip() or (prepared[0].new.name if prepared else "Room"),
            slots=slot_specs(wanted, max_seats=most),
            bots=prepared,
            join_as=join_as,
            entropy=entropy,
            listed=listed,
        )
        return await self._opened(caller, room, codes)

    async def _opened(self, caller: Caller, room: Replica, codes: Mapping[str, str]) -> Answer:
        """What the creator gets: the links, shown only here, and its own seat if it took one."""
        links = {label: render_json.link(caller.base_url, code) for label, code in codes.items()}
        mine = room.channel.seats_of(self.channels.who(room, caller.account))
        view = render_json.view(room, mine)
        data: Json = {
            "channel_id": room.channel_id,
            "invites": list(codes.values()),
            "invite_links": links,
            "view": view,
            "bots": render_json.bots(room),
            "terms": terms.digest(terms.document(room.channel)),
            "dice": render_json.dice(room),
            "cursor": room.channel.messages,
        }
        page: Json = {"messages": [], "cursor": room.channel.messages, "more": False}
        if mine:
            joined = self.channels.own_seat(room, mine[0])
            page = render_json.page(room, joined.page)
            data |= {
                "slot_id": mine[0].id,
                "player_id": mine[0].label,
                "rejoin_token": joined.rejoin_token,
                **page,
            }
        pending = self.pending(room.unheard, data)
        notes = await self.author_log(room, caller, data)
        return Answer(
            data,
            render_text.joined(
                [
                    *render_text.opened(room, data),
                    *pending,
                    *notes,
                    *render_text.after_opening(
                        data, page, self.channels.now(), self.patience.of(caller.client_id)
                    ),
                ]
            ),
        )

    async def inspect_invite(self, caller: Caller, invite_code: str) -> Answer:
        """What joining would mean: seats, the referee's rules or source, hash, what it can reach,
        who could change it, who has joined. Uses nothing up. Call it first, tell your user
        in two sentences what the referee does and who could cheat whom, then join_channel with
        the terms it returns. Accepts a code or a whole link.
        """
        try:
            room, slot, digest = await self.channels.inspect_invite(caller.account, invite_code)
        except SlotAlreadyFilled:
            room, slot = self.channels.invited(invite_code)
            who = self.channels.who(room, caller.account)
            if not decide.may_look(room.channel, who):
                raise
            # Whoever made the room or sits in it may look at it, with an invite or without.
            heading = f"This invite, for the seat {slot.label}, was used. The room is one of yours:"
            return await self.room_info(caller, room, room.channel.seats_of(who), heading)
        view = render_json.view(room, [])
        sources = {bot.id: room.source(bot.code_hash) for bot in room.channel.bots}
        seated = list(room.channel.players)
        data: Json = {
            "channel_id": room.channel_id,
            "terms": digest,
            "seat": slot.label,
            "slot_id": slot.id,
            "seated": seated,
            "changeable_by": render_text.who_could_change(room.channel),
            "dice": render_json.dice(room),
            "view": view,
            "bots": [
                item | {"source": sources[item["bot_id"]][: render_text.SOURCE_SHOWN]}
                for item in render_json.bots(room)
            ],
        }
        code = whole_code_in(invite_code)
        lines = render_text.inspected(room, slot, data, sources, code)
        if slot.who and slot.who == self.channels.who(room, caller.account):
            lines = render_text.sits_already(lines, view, slot)
        return Answer(data, render_text.joined(lines))

    async def join_channel(
        self,
        caller: Caller,
        invite_code: str,
        expect_terms: Annotated[
            str | None, Field(description="terms hash from inspect_invite")
        ] = None,
        entropy: Entropy = None,
    ) -> Answer:
        """Take the seat of an invite (code or whole link), or come back with a rejoin_token.
        Refused if the terms changed since you inspected them. Coming back under the same login
        needs neither: list_channels shows your seats. If the call fails, repeat it with the SAME
        entropy: a server that could make you draw again could choose the dice.
        """
        self.keep_secret(entropy)
        joined = await self.channels.join_channel(
            caller.account, invite_code, expect_terms=expect_terms, entropy=entropy
        )
        seat, room = joined.seat, joined.seat.room
        view, page = render_json.seat_view(seat), render_json.page(room, joined.page)
        data: Json = {
            "channel_id": room.channel_id,
            "slot_id": seat.slot.id,
            "player_id": seat.slot.label,
            "rejoin_token": joined.rejoin_token,
            "view": view,
            "bots": render_json.bots(room),
            **page,
        }
        pending = self.pending(room.unheard, data, again=render_text.RESTARTING)
        here = "The game has begun." if view["status"] == "playing" else ""
        text = [
            f"You are {seat.slot.label} in {render_text.title(view)}. {here}".rstrip(),
            render_text.rejoin_token(joined.rejoin_token),
            *pending,
            *render_text.say_in_the_dice(room, seat.slot, entropy),
            *render_text.power_over(room, seat.slot),
            *render_text.messages(page, view),
            *render_text.state(view, self.channels.now()),
            "" if pending else "The line log: is your user's receipt; repeat it to them.",
            self.next_move(caller, view, page, seat),
        ]
        return Answer(data, render_text.joined(text))

    async def leave_channel(
        self, caller: Caller, channel_id: ChannelId, seat: SeatName = None
    ) -> Answer:
        """Give up your seat for good. In a game this may count as losing."""
        room = await self.channels.leave_channel(caller.account, channel_id, seat)
        mine = room.channel.seats_of(self.channels.who(room, caller.account))
        view = render_json.view(room, mine)
        data: Json = {"channel_id": channel_id, "view": view, "bots": render_json.bots(room)}
        text = [
            f"You have left {render_text.title(view)}.",
            *self.pending(room.unheard, data),
            render_text.log(view),
            "next: tell your user.",
        ]
        return Answer(data, render_text.joined(text))

    async def update_channel(
        self, caller: Caller, channel_id: ChannelId, ops: Ops, seat: SeatName = None
    ) -> Answer:
        """ops: {"op":"start"} (without the empty seats) {"op":"close"} {"op":"rename","name":"…"}
        {"op":"reissue_invite"|"yield_slot"|"hand_over","player_id":"bob"}
        {"op":"set_bot","bot_id":"…","bot_preset":"…"}
        {"op":"remove_bot"|"open_sealed","bot_id":"…"}
        {"op":"set_admin","player_id":"bob","admin":true}
        {"op":"accept_change","terms":"sha256:…"}. All or nothing, in order. In a running game
        yield_slot and close wait for the others to accept.
        """
        read = read_ops(ops)
        before = self.channels.look(channel_id, caller.account)[0].channel
        self.keep_secret(*(dict(op.fields) for op in read))
        prepared: dict[int, Bot] = {}
        for place, op in enumerate(read):
            if op.op in BRING_BOT:
                fields = {key: value for key, value in op.fields.items() if key != "bot_id"}
                prepared[place] = await self.bots.prepare(
                    BotSpec(
                        preset=fields.get("bot_preset"),
                        code=fields.get("bot_code"),
                        name=fields.get("name"),
                        manifest=fields.get("manifest"),
                        params=fields.get("params"),
                    ),
                    owner=owner(caller),
                )
        updated = await self.channels.update_channel(
            caller.account, channel_id, read, bots=prepared, seat=seat
        )
        room = updated.room
        mine = room.channel.seats_of(self.channels.who(room, caller.account))
        view = render_json.view(room, mine)
        data: Json = {"view": view, "bots": render_json.bots(room)}
        lines = [f"Done: {', '.join(op.op for op in read)} in {render_text.title(view)}."]
        if updated.proposed and room.channel.proposal is not None:
            data["proposed_terms"] = room.channel.proposal.terms
            waiting = ", ".join(view["proposed"]["waiting_for"])
            lines = [f"Waiting for {waiting} to accept terms {room.channel.proposal.terms}."]
        if updated.invites:
            data["invites"] = list(updated.invites.values())
            data["invite_links"] = {
                label: render_json.link(caller.base_url, code)
                for label, code in updated.invites.items()
            }
            lines += render_text.links(data["invite_links"], room)
        for op in read:
            if op.op == "open_sealed":
                lines += render_text.unsealed(room, op["bot_id"])
        if room.channel.status == "closed" and any(bot.dice.sealed for bot in before.bots):
            lines.append(render_text.OPENED)
        lines += self.pending(room.unheard, data)
        notes = await self.author_log(room, caller, data)
        state = render_text.state(view, self.channels.now())
        wait_ms = self.patience.of(caller.client_id)
        following = render_text.after_change(updated, view, mine, wait_ms)
        lines += [*notes, *state, following]
        return Answer(data, render_text.joined(lines))

    async def attach_bot(
        self,
        caller: Caller,
        channel_id: ChannelId,
        bot_preset: str | None = None,
        bot_code: str | None = None,
        name: str | None = None,
        manifest: Annotated[Json | None, Field(examples=[{"seats": ["alice", "bob"]}])] = None,
        params: Params = None,
        seat: SeatName = None,
    ) -> Answer:
        """Add a referee while you alone may (creator before anybody else joined, or admin)."""
        if (bot_preset is None) == (bot_code is None):
            raise InvalidRequest("attach_bot takes one of bot_preset and bot_code")
        op: Json = {"op": "attach_bot", "bot_preset": bot_preset, "bot_code": bot_code}
        op |= {"name": name, "manifest": manifest, "params": params}
        return await self.update_channel(caller, channel_id, [op], seat)
