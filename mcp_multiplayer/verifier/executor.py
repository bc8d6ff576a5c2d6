"""What runs strangers' code for the verifier, and what a hook comes to there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from mcp_multiplayer.sandbox.call import Effect, HookCall, HookResult, SourceReport
from mcp_multiplayer.service import hook_io


class Executor(Protocol):
    """What runs strangers' code: `verifier.replay.Replayer`."""

    def run(self, call: HookCall, tape: Sequence[Effect] = ()) -> HookResult:
        """Call one hook in a process of its own, its questions to the network answered from
        ``tape``."""

    def inspect(self, source: str, library: str) -> SourceReport | str | None:
        """What can be known of a source without running it, or why it is none; None when
        that cannot be found out here. ``library``: what it imports as `referee`, "" for nothing."""

    def others(self) -> Iterator[Executor]:
        """Where to do it again, each time with other addresses, memory or places of files."""


Ask: TypeAlias = Callable[[Executor, HookCall], HookResult]


@dataclass(frozen=True)
class Unknown:
    """A hook whose result cannot be known here."""

    code: str
    text: str


@dataclass(frozen=True)
class Known:
    """What a hook comes to. ``sealed``: without the seed, so digests cannot be compared."""

    result: hook_io.Result
    sealed: bool

    @property
    def silent(self) -> bool:
        return self.result.command.silent


@dataclass
class Tally:
    """What was done, for the report."""

    runs: int = 0
    executed: int = 0
    silent: int = 0
    fetched: list[int] = field(default_factory=list)  #: entries with answers of the network
