"""Runs a hook a second time elsewhere, and says whether it does the same. For proofs.

Changes when a run is compared otherwise. The second process comes from another zygote with
another PYTHONHASHSEED, so that the order of sets differs; the network is not touched again,
its recorded answers are. What differs then depends on nothing that a record could hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from engine.sandbox.call import Failed, Finished, HookCall, HookResult, replayable
from engine.sandbox.pool import Pool


@dataclass(frozen=True)
class Twice:
    """What to believe of a hook, and how much was seen of it.

    ``raw``: it spoke over a socket of its own, so nobody can repeat it. ``killed``: one of
    the runs was ended by the clock or a crash, which says nothing about the bot.
    """

    result: HookResult
    seen: Literal["same", "different", "raw", "killed"]


async def run_twice(
    first: Pool, second: Pool, call: HookCall, *, owner: str = "", alone: bool = False
) -> Twice:
    """Run a hook, and once more without the network; a difference is `NonDeterministic`."""
    result = await first.run(call)
    if not replayable(result.effects):
        return Twice(result, "raw")
    if _killed(result):
        return Twice(result, "killed")
    again = await second.run(call, tape=result.effects)
    if _killed(again):
        return Twice(result, "killed")
    if receipt(result) == receipt(again):
        return Twice(result, "same")
    words = "the hook did something else when it ran again; sort sets, and post no object's repr"
    if isinstance(again, Failed) and again.error == "NonDeterministic":
        words = again.text
    return Twice(Failed("NonDeterministic", text=words, effects=result.effects), "different")


def receipt(result: HookResult) -> dict[str, Any]:
    """What of a result has to be the same: all that reaches the room, and nothing else."""
    if isinstance(result, Failed):
        return {"error": result.error, "line": result.line, "effects": result.effects}
    names = set(Finished.__dataclass_fields__) - {"prints"}
    return {name: getattr(result, name) for name in names}


def _killed(result: HookResult) -> bool:
    return isinstance(result, Failed) and (result.killed or result.error == "MemoryLimit")
