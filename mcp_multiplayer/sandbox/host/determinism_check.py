"""Runs a hook a second time elsewhere, and says whether it does the same. For proofs. The second
process comes from another zygote with another PYTHONHASHSEED and other addresses, so that the order
of sets differs; the network is not touched again, the answers that the first run is given are. What
differs then depends on nothing that a log could hold. Both begin at once: a hook could tell by
nothing which of them it is, and takes hardly longer than one.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any, Literal

from mcp_multiplayer.errors import Unavailable
from mcp_multiplayer.sandbox.call import Failed, HookCall, HookResult, Limits
from mcp_multiplayer.sandbox.executor import Executor
from mcp_multiplayer.sandbox.host.fair_queue import SERVER, Owner
from mcp_multiplayer.sandbox.hostcalls.cassette import Recording
from mcp_multiplayer.transcript.canonical_json import canonical

log = logging.getLogger(__name__)
_WORDS = "the hook did something else when it ran again; sort sets, and post no object's repr"


@dataclass(frozen=True)
class Twice:
    """What to believe of a hook, and how much was seen of it.

    ``killed``: one of the runs was ended by the clock, by memory or by a fault of ours, which
    says nothing about the bot; the result is the first one's.
    """

    result: HookResult
    seen: Literal["same", "different", "killed"]


async def run_twice(
    first: Executor,
    second: Executor,
    call: HookCall,
    *,
    owner: Owner = SERVER,
    limits: Limits | None = None,
) -> Twice:
    """Run a hook, and once more without the network; a difference is `NonDeterministic`.

    Raises what the first `Executor.run` raises.
    """
    recording = Recording()
    other = asyncio.create_task(_again(second, call, recording, owner, limits))
    try:
        result = await first.run(call, recording=recording, owner=owner, limits=limits)
        if _killed(result):
            return Twice(result, "killed")
        again = await other
    finally:
        if not other.done():
            other.cancel()
            await asyncio.wait([other])  # its worker is gone before anybody goes on
    if again is None or _killed(again):
        return Twice(result, "killed")
    if receipt(call, result) == receipt(call, again):
        return Twice(result, "same")
    words = _WORDS
    if isinstance(again, Failed) and again.error == "NonDeterministic":
        words = again.text
    return Twice(Failed("NonDeterministic", text=words, effects=result.effects), "different")


async def _again(
    pool: Executor, call: HookCall, tape: Recording, owner: Owner, limits: Limits | None
) -> HookResult | None:
    """The second run; None when this server cannot make one now. It begins when the first has a
    worker: who waits for answers does so in time of its own, however busy the other pool is."""
    await tape.begun.wait()
    try:
        return await pool.run(call, tape=tape, owner=owner, limits=limits)
    except Unavailable as error:
        log.error("a hook could not be run again: %s", error)
        return None


def receipt(call: HookCall, result: HookResult) -> bytes:
    """What of a result has to be the same: what a log holds of it, and nothing else."""
    told: dict[str, Any] = {"fx": [[e.kind, e.q, e.r] for e in result.effects]}
    if isinstance(result, Failed):
        told |= {"res": result.error, "line": result.line}
        return canonical(told)
    turn = result.turn
    told |= {
        "st": call.state if result.state is None else result.state,
        "rng": result.draws,
        "out": [[said.kind, said.body, said.to, said.private] for said in result.said],
        "turn": turn and [turn.players, turn.seconds, turn.expect, turn.to],
        "end": result.end,
        "timers": result.timers,
    }
    return canonical(told)


def _killed(result: HookResult) -> bool:
    return isinstance(result, Failed) and result.killed
