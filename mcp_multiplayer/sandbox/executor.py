"""Who runs hooks, as a server sees it.

A server is put together with one (`multiplayer_server.py`): `sandbox/host/pool.py`, or whatever
else keeps these promises, such as another runtime in a package of its own. What a hook comes to may
depend on nothing but the call, which `sandbox/host/determinism_check.py` tries.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from mcp_multiplayer.sandbox.call import Effect, HookCall, HookResult, Limits, SourceReport
from mcp_multiplayer.sandbox.host.fair_queue import SERVER, Owner
from mcp_multiplayer.sandbox.hostcalls.cassette import Recording
from mcp_multiplayer.sandbox.jail.isolation import Isolation


class Executor(Protocol):
    """Runs hooks of strangers' code."""

    limits: Limits
    isolation: Isolation  #: what stands between a hook and this machine

    async def start(self) -> None:
        """Be ready for the first hook; Unavailable if that fails."""

    async def close(self) -> None:
        """End whatever runs; calls under way become `Failed`."""

    async def run(
        self,
        call: HookCall,
        *,
        tape: Recording | Sequence[Effect] | None = None,
        recording: Recording | None = None,
        owner: Owner = SERVER,
        limits: Limits | None = None,
    ) -> HookResult:
        """Call one hook. Returns at the deadline at the latest; a failing bot is a result.

        ``owner`` pays for it. ``limits`` are the room's, of the day it was opened; of memory,
        network and files there are the executor's. With ``tape``, another result's effects, the
        network is not touched: questions are answered from it, and another question than the
        recorded one is `NonDeterministic`. It may be the ``recording`` of a run under way, which is
        given each answer of the network. Unavailable only if nothing can run now. Cancelling ends
        the hook.
        """

    async def inspect(
        self,
        source: str,
        *,
        library: str | None = None,
        inline: bool = True,
        owner: Owner = SERVER,
    ) -> SourceReport:
        """What a source is, without running it. BotRejected with line and reason. ``library``: the
        text that it would import as `referee`, as in `HookCall`. The limit of a source is for those
        that a player brings (``inline``)."""

    def report(self) -> dict[str, Any]:
        """For health_check: what holds here, and what has come of hooks so far."""
