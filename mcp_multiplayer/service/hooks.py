"""Which hooks an entry makes due, in which order, and what each is told.

The verifier asks the same questions of the same log, so the answers may depend on
nothing else. Order: by hook, then by attach order; a referee's own words trigger
nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mcp_multiplayer.channel.events import Abort, Attach, Event, Join, Leave, Msg, Open, Start, Tick
from mcp_multiplayer.channel.model import Bot, Channel
from mcp_multiplayer.channel.view import Message
from mcp_multiplayer.sandbox.call import Hook
from mcp_multiplayer.service.replica import Replica, Step


@dataclass(frozen=True)
class Due:
    """Hook number ``number`` of entry ``step.entry``, for one bot."""

    bot: Bot
    step: Step
    number: int
    hook: Hook
    args: tuple[Any, ...]


def called(event: Event, bot_at: int, step: Step) -> list[tuple[Hook, tuple[Any, ...]]]:
    """The hooks that ``event`` calls in the bot attached by entry ``bot_at``, in order.

    A bot that is attached late hears at once who is here, and that the game has begun.
    """
    channel = step.channel
    match event:
        case Attach() if step.entry == bot_at:
            late = [("on_join", (label,)) for label in players_at(channel, step.entry)]
            began = channel.started is not None and channel.started < step.entry
            return [("on_init", ()), *late, *([("on_start", ())] if began else [])]  # type: ignore[list-item]
        case Join(slot) | Leave(slot) if not channel.slot(slot).plays:
            return []  # a spectator: no referee hears of it
        case Join(slot):
            return [("on_join", (channel.label(slot),)), *_start(channel, step)]
        case Start() | Open() | Abort():
            return _start(channel, step)
        case Leave(slot):
            return [("on_leave", (channel.label(slot),))]
        case Msg():
            return [("on_message", ())]
        case Tick(bot, name) if (ticked := channel.bot(bot)) and ticked.at == bot_at:
            return [("on_timer", (name,))]
        case _:
            return []


def _start(channel: Channel, step: Step) -> list[tuple[Hook, tuple[Any, ...]]]:
    return [("on_start", ())] if channel.started == step.entry else []


def players_at(channel: Channel, entry: int) -> tuple[str, ...]:
    """Who sits in the room right after ``entry``, in order of joining. ``channel`` is the
    state after it."""
    return tuple(slot.label for slot in channel.seated if slot.since <= entry)


def due(room: Replica) -> Due | None:
    """Return the hook to run next, or None when every referee has heard everything.

    Steps that are done with are dropped from ``room.unsettled`` on the way.
    """
    while room.unsettled:
        step = room.unsettled[0]
        for one in _of_step(room, step):
            memory = room.memories.get(one.bot.at)
            if memory is None or (step.entry, one.number) >= (memory.entry, memory.hook):
                return one
        room.unsettled.popleft()
    return None


def _of_step(room: Replica, step: Step) -> Iterator[Due]:
    """All hooks of a step for the bots that are still here and define them."""
    bots = [bot for bot in room.channel.bots if bot.at <= step.entry]
    calls = {bot.at: called(step.event, bot.at, step) for bot in bots}
    for number in range(max(map(len, calls.values()), default=0)):
        for bot in bots:
            if number >= len(calls[bot.at]):
                continue
            hook, args = calls[bot.at][number]
            if hook not in bot.hooks:
                continue
            if hook == "on_message":
                message = step.messages[0]
                if not hears(bot, message):
                    continue
                args = (message,)
            yield Due(bot, step, number, hook, args)


def hears(bot: Bot, message: Message) -> bool:
    """Players' messages that are public or addressed to this bot."""
    return message.to is None or f"bot:{bot.id}" in message.to
