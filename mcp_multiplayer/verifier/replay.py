"""How a member executes a referee again.

On the other side is a stranger's code, in a record that a stranger may have written: it may
read no file, reach no network, leave nothing behind, and neither hang nor crash the verifier;
all that it says is checked as the server checks it (`sandbox/wire.py`,
`sandbox/hostcalls.py`). Tried by tests/attacks/test_hostile_referee_in_verifier.py.

What comes of a hook is what came of it on the server (tests/verifier/test_replay.py): the same code
of ours calls it, with the same limits, on another machine. Each hook has a process of its own,
forked from one that has run none (`verifier/forkserver.py`), the next one while this one runs.

Before a server is accused by what comes of a hook, it is executed again where other things than
the log's values are different (`Replayer.others`): who asks where objects lie, how much memory is
left or where files are gets another answer there.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from mcp_multiplayer.sandbox import frames, wire
from mcp_multiplayer.sandbox.call import (
    Compiled,
    Effect,
    Failed,
    Finished,
    HookCall,
    HookResult,
    Limits,
    SourceReport,
)
from mcp_multiplayer.sandbox.cassette import Cassette, Differs
from mcp_multiplayer.sandbox.compile_cache import CompileCache
from mcp_multiplayer.sandbox.dice import Dice
from mcp_multiplayer.sandbox.workspace import Workspaces
from mcp_multiplayer.verifier.forkserver_client import (
    START_SECONDS,
    CannotReplay,
    ForkServerClient,
    Lost,
    told,
)
from mcp_multiplayer.verifier.replay_host import Full, ReplayHost

__all__ = ["CannotReplay", "OutOfTime", "Replayer"]
MOST_CPU_SECONDS = 86400
_TRIES = 3


class OutOfTime(Exception):
    """All hooks together took longer than they may."""


@dataclasses.dataclass(frozen=True)
class Elsewhere:
    """What is different in processes in which a hook is executed again: memory as a share of the
    room's, and whether modules lie elsewhere. Where objects lie differs in each."""

    memory: float
    moved: bool


ELSEWHERE = (Elsewhere(1, False), Elsewhere(0.5, False), Elsewhere(2, False), Elsewhere(1, True))
#: Hooks in each of them. Where two objects lie is a coin; this many throws leave no luck.
TIMES = 16


class Replayer:
    """Executes hooks of strangers' code, in processes of their own."""

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        seconds: float = 30.0,
        total: float = math.inf,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        """``limits`` are the room's. A hook may take ``seconds`` here, whatever it might take
        on the server: this machine may be slower. All hooks together may take ``total``."""
        self.limits = limits or Limits()
        self._elsewhere = elsewhere
        self._others: list[Replayer] = []
        self._seconds = seconds
        self._total = self._left = total
        self._directory: Path | None = None
        self._workspaces: Workspaces | None = None
        self._home: ForkServerClient | None = None
        self._spare: tuple[int, socket.socket] | None = None
        self._cache = CompileCache()

    @property
    def walls(self) -> str:
        """What stands between strangers' code and this machine, in one line."""
        return told(self._parent().walls)

    def __enter__(self) -> Replayer:
        self._parent()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every process and remove every file."""
        for other in self._others:
            other.close()
        self._others.clear()
        self._lose()
        if self._workspaces is not None:
            self._workspaces.close()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
        self._workspaces = self._directory = None

    def run(self, call: HookCall, tape: Sequence[Effect] = ()) -> HookResult:
        """Call one hook; what it asks of the network is answered from ``tape``.

        Another question than the recorded one, one more or one less is `NonDeterministic`, and so
        is a connection of its own: look at `replayable` first. `OutOfTime` when ``total`` is
        used up, `CannotReplay` when this machine starts no hook.
        """
        if self._left <= 0:
            raise OutOfTime(f"the referees took longer than {self._total:g} seconds")
        began = time.monotonic()
        try:
            return self._run(call, tape)
        finally:
            self._left -= time.monotonic() - began

    def others(self) -> Iterator[Replayer]:
        """Where to execute something again, as often as settles whether it always comes to the
        same. What it takes counts as this one's; `OutOfTime` and `CannotReplay` as from `run`."""
        if not self._others:
            self._others = [self._other(how) for how in ELSEWHERE]
        for _ in range(TIMES):
            for other in self._others:
                if self._left <= 0:
                    raise OutOfTime(f"the referees took longer than {self._total:g} seconds")
                other._total, other._left = self._total, self._left
                yield other
                self._left = other._left

    def _other(self, how: Elsewhere) -> Replayer:
        memory = int(self.limits.memory * how.memory)
        limits = dataclasses.replace(self.limits, memory=memory)
        return Replayer(limits, seconds=self._seconds, elsewhere=how)

    def inspect(self, source: str) -> SourceReport | str | None:
        """What can be known of a source without running it, or why it is none; None when its
        reader does not come back."""
        compiled = self._compiled(source)
        if isinstance(compiled, Failed):
            return None
        return compiled.rejected or compiled.report

    def _compiled(self, source: str) -> Compiled | Failed:
        """What its hooks are handed, made once."""
        compiled = self._cache.get(source)
        if compiled is not None:
            return compiled
        job, sock = self._take()
        try:
            with sock:
                sock.settimeout(self._seconds)
                sock.sendall(frames.pack(wire.compile_request(source)))
                made = wire.compiled(frames.receive(sock, wire.LARGEST_COMPILED))
        except (OSError, frames.BadFrame, wire.Broken) as error:
            return Failed("Crashed", text=f"its source could not be read ({error})", killed=True)
        finally:
            self._bury(job)
        self._cache.put(source, made)
        return made

    def _run(self, call: HookCall, tape: Sequence[Effect]) -> HookResult:
        compiled = self._compiled(call.source)
        if isinstance(compiled, Failed):
            return compiled
        if not compiled.code and compiled.rejected:
            return Failed("BotRejected", line=compiled.line, text=compiled.rejected)
        if call.hook not in compiled.report.hooks:
            return Finished()
        request = wire.hook_request(call, compiled, self.limits)
        if len(request) > frames.LARGEST_REQUEST:
            return Failed("StateLimit", text="the hook's inputs are too large")
        request = frames.pack(request) + frames.pack(compiled.code)
        desk = self._desk(call, tape)
        try:
            job, sock = self._take()
            with sock:
                result = self._outcome(job, sock, request, call, desk)
        finally:
            desk.close()
        return dataclasses.replace(result, effects=tuple(desk.tape.repeated), draws=desk.dice.count)

    def _desk(self, call: HookCall, tape: Sequence[Effect]) -> ReplayHost:
        if self._workspaces is None:
            self._workspaces = Workspaces(self._place(), self.limits.workspace)
        return ReplayHost(Cassette(tape), Dice(call.key), self._workspaces.hook(), self.limits)

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

    def _outcome(
        self, job: int, sock: socket.socket, request: bytes, call: HookCall, desk: ReplayHost
    ) -> HookResult:
        """As the server judges it (`Pool._outcome`)."""
        seconds = min(self._seconds, self._left)
        try:
            until = time.monotonic() + seconds
            sock.settimeout(seconds)
            sock.sendall(request)
            self._fork_spare()
            data = desk.converse(sock, until)
            if self._home is not None:
                self._home.forget(job)
            result = wire.hook_result(data, call, self.limits)
            desk.tape.finish()
            return result
        except TimeoutError:
            self._bury(job)
            if seconds < self._seconds:
                raise OutOfTime(f"the referees took longer than {self._total:g} seconds") from None
            text = f"the hook took longer than {seconds:g} seconds"
            return Failed("TimeLimit", text=text, killed=True)
        except Differs as error:
            self._bury(job)
            return Failed("NonDeterministic", text=str(error))
        except Full as error:
            self._bury(job)
            return Failed("WorkspaceLimit", text=str(error), killed=True)
        except wire.Broken:
            self._bury(job)
            return Failed("Crashed", text="the answer was not one of ours", killed=True)
        except (frames.BadFrame, OSError) as error:
            text = f"the process ended with {self._bury(job)} ({error})"
            return Failed("Crashed", text=text, killed=True)

    # Processes

    def _parent(self) -> ForkServerClient:
        if self._home is None:
            how = self._elsewhere
            allowance = {
                "memory": self.limits.memory,
                "cpu_seconds": MOST_CPU_SECONDS,
                "hook_cpu_seconds": math.ceil(self._seconds) + 2,
                "files": self.limits.workspace,
            }
            path = self._moved() if how is not None and how.moved else None
            self._home = ForkServerClient(allowance, path=path, stirred=how is not None)
        return self._home

    def _take(self) -> tuple[int, socket.socket]:
        """A hook's process that waits for its request; the next one is forked meanwhile."""
        for _ in range(_TRIES):
            try:
                job, sock = self._spare or self._parent().fork()
                self._spare = None
                if self._is_ready(sock):
                    return job, sock
            except Lost:
                pass
            self._lose()
        raise CannotReplay("no process for a referee's code could be started")

    def _is_ready(self, sock: socket.socket) -> bool:
        sock.settimeout(START_SECONDS)
        try:
            return frames.receive(sock, 16) == b"{}"
        except (OSError, frames.BadFrame):
            sock.close()
            return False

    def _bury(self, job: int) -> int | None:
        try:
            return None if self._home is None else self._home.bury(job)
        except Lost:
            self._lose()
            return None

    def _fork_spare(self) -> None:
        """Forked while the one before runs; if that fails, the next hook finds out."""
        with contextlib.suppress(Lost):
            if self._spare is None:
                self._spare = self._parent().fork()

    def _lose(self) -> None:
        if self._spare is not None:
            self._spare[1].close()
            self._spare = None
        if self._home is not None:
            self._home.kill()
            self._home = None
