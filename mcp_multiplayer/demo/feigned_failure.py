"""A server that voids bob's move: it says that the referee is not deterministic.

A hook that is not undoes all it did. So bob's guess is neither judged nor counted.
"""

from __future__ import annotations

from mcp_multiplayer.channel.model import Bot
from mcp_multiplayer.demo.plot import BOBS_NUMBER
from mcp_multiplayer.sandbox.call import Failed, HookCall, HookResult
from mcp_multiplayer.sandbox.host.fair_queue import Owner
from mcp_multiplayer.service.bot_manager import BotManager
from mcp_multiplayer.service.replica import Replica

honest = BotManager._run


def install() -> None:
    setattr(BotManager, "_run", run)  # noqa: B010 it is not ours to change, which types notice


async def run(
    bots: BotManager, room: Replica, call: HookCall, bot: Bot, owner: Owner
) -> HookResult:
    guess = {"text": f"guess {BOBS_NUMBER}"}
    if call.hook == "on_message" and call.args[0]["body"] == guess:
        return Failed("NonDeterministic", text="the hook did something else")
    return await honest(bots, room, call, bot, owner)
