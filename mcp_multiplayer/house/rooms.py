"""The rooms in which the house plays: who is let in, how many there are, and how they are found
again after a restart.

On the other side is whoever hands over an invite: any text at all. Nothing of it is fetched or
shown; it is a code of this server or it is refused.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from typing import Any

from mcp_multiplayer.errors import (
    BotNotFound,
    InvalidRequest,
    InviteInvalid,
    MultiplayerError,
    Unavailable,
)
from mcp_multiplayer.house.player import PACE, Pace, Player, leave
from mcp_multiplayer.house.rest import Rest
from mcp_multiplayer.house.strategies import NOT_PLAYED, STRATEGIES, Strategy

log = logging.getLogger(__name__)

Json = dict[str, Any]
Seat = tuple[str, str]  #: channel and label

#: A code alone or at the end of a link. What a rejoin token would open is not for the house.
CODE = re.compile(r"(?:^|[#/=])(inv_[A-Za-z0-9.]{8,120})$")
SEAT = re.compile(r"house(-[0-9]{1,2})?")  #: what a seat is called in which the house sits
PATIENCE = 8.0  #: seconds for each call before the house has sat down
FULL_AGAIN = 60.0


class HousePlayers:
    """All seats of the house; in at most ``most`` rooms."""

    def __init__(self, rest: Rest, most: int, *, pace: Pace = PACE) -> None:
        self._rest = rest
        self._most = most
        self._pace = pace
        self._playing: dict[Seat, tuple[Player, asyncio.Task[None]]] = {}  #: longest first
        self._sitting_down = asyncio.Lock()

    @property
    def seats(self) -> list[Seat]:
        """Where it plays now."""
        return list(self._playing)

    async def resume(self) -> None:
        """Go on in the rooms where this account sits. Their referees were looked at when it sat
        down, and cannot change without its consent, which it never gives."""
        async with self._sitting_down:
            cursor: str | None = None
            while True:
                page = await self._rest.call("list_channels", limit=500, cursor=cursor)
                for room in page["channels"]:
                    for label in room["seats"]:
                        await self._go_on(room["channel_id"], label)
                if not page["more"]:
                    return
                cursor = page["cursor"]

    async def _go_on(self, channel_id: str, label: str) -> None:
        try:
            info = await self._rest.call("get_channel_info", channel_id=channel_id, seat=label)
        except MultiplayerError as refused:
            log.info("a seat of before is gone: %s", refused.code)
            return
        bots = info["view"]["bots"]
        strategy = STRATEGIES.get(bots[0]["name"]) if bots else None
        if strategy is None:
            await leave(self._rest, channel_id, label)
        else:
            self._play((channel_id, label), strategy)

    async def invited(self, invite: Any) -> Json:
        """Sit down at an invite, and say where; or raise why not. Asked twice it answers twice and
        sits once."""
        code = CODE.search(invite.strip()) if isinstance(invite, str) else None
        if code is None:
            raise InviteInvalid("that is no invite", hint="Hand over a code inv_… or its link.")
        async with self._sitting_down:
            seen = await self._rest.call("inspect_invite", invite_code=code[1], patience=PATIENCE)
            name, strategy = await self._judged(seen)
            joined = await self._rest.call(
                "join_channel",
                invite_code=code[1],
                expect_terms=seen.get("terms"),
                entropy=secrets.token_hex(32),
                patience=PATIENCE,
            )
            seat = joined["channel_id"], joined["player_id"]
            if seat not in self._playing:
                self._play(seat, strategy)
                log.info("the house sits down under %s", name)
        said = {"channel_id": seat[0], "seated": seat[1]}
        return said | {"preset": name, "level": strategy.level}

    async def _judged(self, seen: Json) -> tuple[str, Strategy]:
        """The preset that is played in a room and how the house plays it, or raise why not."""
        view, label = seen["view"], seen.get("seat")
        admins = [slot["label"] for slot in view["slots"] if slot["admin"]]
        if label is not None and (label in admins or not SEAT.fullmatch(label)):
            raise InvalidRequest(
                "the house sits only in a seat that is called house, so that everybody knows, and"
                " that is not admin",
                hint='Open the room with one: slots=["invite:you", "invite:house"].',
            )
        if len(view["bots"]) != 1:
            raise BotNotFound("the house plays in rooms with one referee", hint="")
        (bot,) = view["bots"]
        name = bot["name"]
        if not await self._is_preset(name, bot["code_hash"]):
            raise BotNotFound(
                "the house plays only under referees that come with this server",
                hint="list_bots names them.",
            )
        strategy = STRATEGIES.get(name)
        why = NOT_PLAYED.get(name, "") if strategy is None else strategy.unfit(bot["params"])
        if strategy is None or why:
            plays = ", ".join(STRATEGIES)
            raise BotNotFound(why or f"the house does not play {name}", hint=f"It plays {plays}.")
        await self._make_room(view["channel_id"])
        return name, strategy

    async def _make_room(self, channel_id: str) -> None:
        """See that there is a place for this room: a free one, or that of a room in which nobody
        goes on."""
        rooms = {channel for channel, _ in self._playing}
        if channel_id in rooms or len(rooms) < self._most:
            return
        for room in dict.fromkeys(channel for channel, _ in self._playing):
            seats = [seat for seat in self._playing if seat[0] == room]
            if all(self._playing[seat][0].is_spare for seat in seats):
                for seat in seats:
                    self._playing[seat][1].cancel()
                    await leave(self._rest, *seat)
                return
        raise Unavailable(
            f"the house plays in {len(rooms)} rooms and takes no more",
            retry_after=FULL_AGAIN,
            hint="Try again in {wait} s, or invite somebody.",
        )

    async def _is_preset(self, name: str, code_hash: str) -> bool:
        """Whether the preset that is called so has this text. A name alone proves nothing, for a
        stranger's referee may be called like it."""
        if name not in STRATEGIES and name not in NOT_PLAYED:
            return False
        preset = await self._rest.call("get_bot_code", bot_preset=name, patience=PATIENCE)
        return bool(preset["code_hash"] == code_hash)

    def _play(self, seat: Seat, strategy: Strategy) -> None:
        channel_id, label = seat

        def is_alone(taken: set[str]) -> bool:
            return taken <= {one for channel, one in self._playing if channel == channel_id}

        player = Player(self._rest, channel_id, label, strategy, is_alone, pace=self._pace)
        self._playing[seat] = player, asyncio.create_task(self._until_over(seat, player))

    async def _until_over(self, seat: Seat, player: Player) -> None:
        try:
            await player.run()
        except MultiplayerError as refused:
            log.warning("the house gives up a seat: %s", refused)
            await leave(self._rest, *seat)
        except Exception:
            log.exception("the house gives up a seat")
            await leave(self._rest, *seat)
        finally:
            self._playing.pop(seat, None)

    async def close(self) -> None:
        """Stop where it is; the seats stay."""
        tasks = [task for _, task in self._playing.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._playing.clear()  # one that had not begun did not do so itself
