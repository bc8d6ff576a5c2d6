"""What stands between a bot and this machine, as it is told to everybody.

Nobody should have to guess: the report is made from what was tried on this very machine, and
what is missing is named. Importable anywhere, also where no bot can run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

#: What bots that players bring need: seccomp and a passed self-test; every wall; nothing.
Policy: TypeAlias = Literal["auto", "strict", "unsafe"]
Level: TypeAlias = Literal["full", "strong", "none", "unsafe"]
#: Users of one zygote's workers, each another.
UIDS = 256
_DOCKER = "With Docker they do: docker compose up"
_UNSAFE = "BOT_ISOLATION=unsafe: bots of strangers run here whether or not they are jailed"


@dataclass(frozen=True)
class Walls:
    """What can be taken away from a worker on this machine besides limits."""

    seccomp: bool = False
    landlock: int = 0  #: its ABI, 0 for none
    governed: dict[str, bool] = field(default_factory=dict)  #: by Landlock: fs, net, scope
    uids: int = 0  #: the first of the users that workers run as; 0: they run as the server does
    namespaces: tuple[str, ...] = ()
    degraded: tuple[str, ...] = ()  #: what is missing, and why

    @staticmethod
    def from_json(told: dict[str, Any]) -> Walls:
        """As the zygote tells them."""
        lists = {name: tuple(told[name]) for name in ("namespaces", "degraded")}
        return Walls(**{**told, **lists})


@dataclass(frozen=True)
class Isolation:
    """The walls of this machine, and what came of trying to get through them."""

    policy: Policy = "auto"
    walls: Walls = Walls()
    memory: int = 0  #: bytes that a worker may use
    workspace: int = 0  #: bytes that its files may have
    tried: int = 0
    failures: tuple[str, ...] = ()  #: what the canary could do

    @property
    def level(self) -> Level:
        """``full``: every wall stands. ``strong``: seccomp holds alone. ``none``: bots that
        players bring are refused. ``unsafe``: they run all the same."""
        if not self.walls.seccomp or not self.tried or self.failures:
            return "unsafe" if self.policy == "unsafe" else "none"
        governed = self.walls.governed
        every = governed and all(governed.values()) and self.walls.uids
        return "full" if every else "strong"

    @property
    def degraded(self) -> list[str]:
        """What is missing, a sentence each."""
        missing = [*self.walls.degraded, *(f"self-test: {text}" for text in self.failures)]
        if not self.tried:
            missing.append("self-test: no sandbox process has been started")
        if self.policy == "unsafe":
            missing.append(_UNSAFE)
        return missing

    def refusal(self) -> str:
        """Why a bot that a player brings may not run here; empty when it may."""
        if self.policy == "unsafe" or self.level == "full":
            return ""
        if self.policy == "auto" and self.level == "strong":
            return ""
        asked = "BOT_ISOLATION=strict asks for every wall" if self.policy == "strict" else ""
        because = "; ".join([*filter(None, [asked]), *self.degraded])
        return f"Bots that players bring do not run on this server ({because}). {_DOCKER}"

    def report(self) -> dict[str, Any]:
        """For health_check: what holds, and what does not."""
        return {
            "level": self.level,
            "policy": self.policy,
            "seccomp": self.walls.seccomp,
            "landlock_abi": self.walls.landlock,
            "landlock": {name: self.walls.governed.get(name, False) for name in _GOVERNED},
            "uid_separated": bool(self.walls.uids),
            "namespaces": list(self.walls.namespaces),
            "memory_cap": self.memory,
            "workspace_quota": self.workspace,
            "selftest": f"{self.tried - len(self.failures)}/{self.tried}",
            "degraded": self.degraded,
        }


_GOVERNED = ("fs", "net", "scope")
