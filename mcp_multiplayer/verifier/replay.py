"""How a member executes a referee again.

On the other side is a stranger's code, in a record that a stranger may have written: it may
read no file, reach no network, leave nothing behind, and neither hang nor crash the verifier.
Tried by tests/attacks/test_hostile_referee_in_verifier.py.

What comes of a hook is what came of it on the server (tests/verifier/test_replay.py), because it is
the server's own `Pool` that calls it: the same zygote, jail and host calls, with the limits of the
room, on another machine. Each hook has a process of its own; what it asks of the network is
answered from the record.

There is none without a wall: the kernel's filter of system calls, installed, and every attack of
`sandbox/jail/selftest_attacks.py` refused to a process behind it. Landlock and another user are
more of the same and not enough by themselves (docs/sandbox.md). A record may attack its reader, so
before that nothing of it is compiled, let alone executed.

Before a server is accused by what comes of a hook, it is executed again where other things than
the log's values are different (`Replayer.others`): who asks where objects lie, how much memory is
left or where files are gets another answer there.
"""

from __future__ import annotations

import asyncio
import dataclasses
import importlib.util
import math
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from mcp_multiplayer.errors import Unavailable
from mcp_multiplayer.sandbox.call import Effect, Failed, HookCall, HookResult, Limits, SourceReport
from mcp_multiplayer.sandbox.host.forkserver import HERE, Surroundings
from mcp_multiplayer.sandbox.host.pool import NotIsolated, Pool
from mcp_multiplayer.sandbox.hostcalls.broker import Broker
from mcp_multiplayer.sandbox.hostcalls.workspace import Workspaces
from mcp_multiplayer.sandbox.jail.isolation import Walls

#: What sources are read with; verifier.pyz carries it, a bare Python does not.
NEEDED = "RestrictedPython"
T = TypeVar("T")


class CannotReplay(Exception):
    """No hook can be executed on this machine; the text says why. ``code`` is the finding's."""

    code = "I_NO_REPLAY"


class NoWall(CannotReplay):
    """Nothing would stand between a stranger's code and this machine."""

    code = "I_NO_WALL"

    def __init__(self, why: str) -> None:
        super().__init__(f"code of strangers is executed behind a kernel's jail only ({why})")


class OutOfTime(Exception):
    """All hooks together took longer than they may."""


@dataclasses.dataclass(frozen=True)
class Elsewhere:
    """What is different in processes in which a hook is executed again: memory as a share of the
    room's, and whether modules lie elsewhere. Where objects lie differs in each."""

    memory: float
    moved: bool


ELSEWHERE = tuple(Elsewhere(memory, moved) for memory in (0.5, 1, 1, 2) for moved in (False, True))
#: Hooks in each of them. Where two objects lie is a coin, of libraries for each zygote and of the
#: bot's own for each hook; so many throws leave no luck.
TIMES = 8


class _Loop:
    """A thread in which the pools live, because whoever verifies may have a loop of their own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """What comes of it; who is interrupted while waiting interrupts it, too."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Replayer:
    """Executes hooks of strangers' code, in processes of their own."""

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        seconds: float = 30.0,
        total: float = math.inf,
        elsewhere: Elsewhere | None = None,
        loop: _Loop | None = None,
    ) -> None:
        """``limits`` are the room's. A hook may take ``seconds`` here, whatever it might take
        on the server: this machine may be slower. All hooks together may take ``total``."""
        self.limits = limits or Limits()
        self._elsewhere = elsewhere
        self._others: list[Replayer] = []
        self._seconds = seconds
        self._total = self._left = total
        self._directory: Path | None = None
        self._lent, self._loop = loop, loop
        self._pool: Pool | None = None

    @property
    def walls(self) -> str:
        """What stands between strangers' code and this machine, in one line."""
        return told(self._ready().isolation.walls)

    def __enter__(self) -> Replayer:
        self._ready()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every process and remove every file."""
        for other in self._others:
            other.close()
        self._others.clear()
        if self._loop is not None:
            if self._pool is not None:
                self._loop.wait(self._pool.close())
            if self._lent is None:
                self._loop.close()
        self._pool, self._loop = None, self._lent
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def run(self, call: HookCall, tape: Sequence[Effect] = ()) -> HookResult:
        """Call one hook; what it asks of the network is answered from ``tape``.

        Another question than the recorded one, one more or one less is `NonDeterministic`.
        `OutOfTime` when ``total`` is used up, `CannotReplay` when this machine starts no hook.
        """
        strangers = dataclasses.replace(call, inline=True)  # whoever the record says it is of
        result = self._timed(lambda pool: pool.run(strangers, tape=tape))
        if isinstance(result, Failed) and result.error == "NotIsolated":  # walls that fell
            raise NoWall(result.text)
        return result

    def inspect(self, source: str, library: str = "") -> SourceReport | str | None:
        """What can be known of a source without running it, or why it is none; None when its
        reader does not come back. ``library``: what it imports as `referee`, from the record."""
        compiled = self._timed(lambda pool: pool.compiled(source, library=library))
        if isinstance(compiled, Failed):
            return None
        return compiled.rejected or compiled.report

    def others(self) -> Iterator[Replayer]:
        """Where to execute something again, as often as settles whether it always comes to the
        same. What it takes counts as this one's; `OutOfTime` and `CannotReplay` as from `run`."""
        if not self._others:
            self._others = [self._other(how) for how in ELSEWHERE]
        for _ in range(TIMES):
            for other in self._others:
                if self._left <= 0:
                    raise self._out_of_time()
                other._total, other._left = self._total, self._left
                yield other
                self._left = other._left

    def _other(self, how: Elsewhere) -> Replayer:
        memory = int(self.limits.memory * how.memory)
        limits = dataclasses.replace(self.limits, memory=memory)
        return Replayer(limits, seconds=self._seconds, elsewhere=how, loop=self._loop)

    def _timed(self, ask: Callable[[Pool], Coroutine[Any, Any, T]]) -> T:
        """What the pool answers, within what is left."""
        pool = self._ready()
        if self._left <= 0:
            raise self._out_of_time()
        began = time.monotonic()
        try:
            assert self._loop is not None
            return self._loop.wait(_within(self._left, ask(pool)))
        except TimeoutError:
            raise self._out_of_time() from None
        except NotIsolated as error:
            raise NoWall(str(error)) from None
        except Unavailable as error:
            raise CannotReplay(
                f"no process for a referee's code could be started ({error})"
            ) from None
        finally:
            self._left -= time.monotonic() - began

    def _out_of_time(self) -> OutOfTime:
        return OutOfTime(f"the referees took longer than {self._total:g} seconds")

    # Processes

    def _ready(self) -> Pool:
        """The pool, its walls tried; `CannotReplay` where there is none, `NoWall` where it would
        not be safe."""
        if self._pool is not None:
            return self._pool
        if sys.platform != "linux":
            raise NoWall(f"this is {sys.platform}, which has no seccomp")
        if not sys.executable:
            raise CannotReplay("this Python does not know its own program")
        if importlib.util.find_spec(NEEDED) is None:
            raise CannotReplay(f"the Python package {NEEDED} is missing here")
        self._loop = self._loop or _Loop()
        pool = self._loop.wait(self._made())
        try:
            self._loop.wait(pool.start())
            isolation = pool.isolation
            if not isolation.walls.seccomp:
                raise NoWall("; ".join(isolation.walls.degraded) or "there is no seccomp")
            if isolation.failures:
                raise NoWall(f"its self-test failed: {isolation.failures[0]}")
        except Unavailable as error:
            self._loop.wait(pool.close())
            text = f"the process for a referee's code does not start ({error})"
            raise CannotReplay(text) from None
        except BaseException:
            self._loop.wait(pool.close())
            raise
        self._pool = pool
        return pool

    async def _made(self) -> Pool:
        surroundings = HERE
        if self._elsewhere is not None:
            path = tuple(self._moved()) if self._elsewhere.moved else ()
            surroundings = Surroundings(scattered=True, moved=True, path=path)
        workspaces = Workspaces(self._place(), self.limits.workspace)
        broker = Broker(limits=self.limits, workspaces=workspaces)
        return Pool(
            limits=self.limits, broker=broker, surroundings=surroundings, seconds=self._seconds
        )

    def _place(self) -> Path:
        """A directory of our own."""
        if self._directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix="mpx-verify-"))
        return self._directory

    def _moved(self) -> list[str]:
        """The places of modules under other names."""
        place = self._place() / "modules"
        place.mkdir(exist_ok=True)
        moved = []
        for number, entry in enumerate(sys.path):
            link = place / str(number)
            if not link.is_symlink():
                link.symlink_to(os.path.abspath(entry or os.curdir))
            moved.append(str(link))
        return moved


async def _within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    async with asyncio.timeout(None if math.isinf(seconds) else seconds):
        return await work


def told(walls: Walls) -> str:
    """The walls in one line, for the report of a verification."""
    named = {
        "Landlock": walls.landlock,
        "another user": walls.uids,
        "no network": "net" in walls.namespaces,
    }
    return ", ".join(["seccomp", *(name for name, stands in named.items() if stands), "limits"])
