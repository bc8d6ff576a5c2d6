"""How a member executes a referee again. Changes when a replay is judged otherwise.

On the other side is a stranger's code, in a record that a stranger may have written: it may
read no file, reach no network, leave nothing behind, and neither hang nor crash the verifier;
all that it says is checked as the server checks it (`engine/sandbox/wire.py`,
`engine/sandbox/questions.py`). Tried by tests/attacks/test_hostile_referee_in_verifier.py.

What comes of a hook is what came of it on the server (tests/verifier/test_replay.py): the same code
of ours calls it, with the same limits, on another machine. Hooks are forked from one process
(`verifier/child.py`), the next one while this one runs. Those of a source that can leave nothing
behind in its process follow each other in one, which is ten times as fast; what that comes to is
executed again in a process of its own before anybody is accused by it (``alone``).
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import shutil
import socket
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from engine.sandbox import frames, wire
from engine.sandbox.call import Effect, Failed, HookCall, HookResult, Limits, SourceReport
from engine.sandbox.dice import Dice
from engine.sandbox.tape import Differs, Tape
from engine.sandbox.workspace import Workspaces
from verifier.desk import Desk, Full, rest
from verifier.home import START_SECONDS, CannotReplay, Home, Lost, told

__all__ = ["CannotReplay", "OutOfTime", "Replayer"]
MOST_CPU_SECONDS = 86400
_LARGEST = 1 << 17  #: of a source that is read ahead
_FOLLOWING = 250  #: hooks in one process; what they leave for the collector adds up
_TRIES = 3
_STAY = b'{"stay": true, '


class OutOfTime(Exception):
    """All hooks together took longer than they may."""


@dataclasses.dataclass
class _Turn:
    """A process in which hooks of one source follow each other."""

    source: str
    job: int
    sock: socket.socket
    left: int = _FOLLOWING


class Replayer:
    """Executes hooks of strangers' code, in processes of their own."""

    def __init__(
        self, limits: Limits | None = None, *, seconds: float = 30.0, total: float = math.inf
    ) -> None:
        """``limits`` are the room's. A hook may take ``seconds`` here, whatever it might take
        on the server: this machine may be slower. All hooks together may take ``total``."""
        self.limits = limits or Limits()
        self._seconds = seconds
        self._total = self._left = total
        self._directory: Path | None = None
        self._workspaces: Workspaces | None = None
        self._home: Home | None = None
        self._spare: tuple[int, socket.socket] | None = None
        self._networked = False
        self._read: set[str] = set()  #: sources that the hooks' parent has read
        self._forgetful: set[str] = set()  #: those whose hooks may follow each other
        self._turn: _Turn | None = None
        self._harmful: set[str] = set()  #: sources that ended one which tried

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
        self._lose()
        if self._workspaces is not None:
            self._workspaces.close()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
        self._workspaces = self._directory = None

    def run(
        self, call: HookCall, tape: Sequence[Effect] = (), *, alone: bool = False
    ) -> HookResult:
        """Call one hook; what it asks of the network is answered from ``tape``. ``alone``: in a
        process that has run nothing before, whatever the source.

        Another question than the recorded one, one more or one less is `NonDeterministic`, and so
        is a connection of its own: look at `replayable` first. `OutOfTime` when ``total`` is
        used up, `CannotReplay` when this machine starts no hook.
        """
        if self._left <= 0:
            raise OutOfTime(f"the referees took longer than {self._total:g} seconds")
        began = time.monotonic()
        try:
            return self._run(call, tape, alone)
        finally:
            self._left -= time.monotonic() - began

    def inspect(self, source: str) -> SourceReport | str | None:
        """What can be known of a source without running it, or why it is none; None when its
        reader does not come back."""
        job, sock = self._take(source)
        try:
            with sock:
                sock.settimeout(self._seconds)
                sock.sendall(frames.pack(wire.inspect_request(source)))
                return wire.source_report(frames.receive(sock, wire.largest_answer(self.limits)))
        except (OSError, frames.BadFrame, wire.Broken):
            return None
        finally:
            self._bury(job)

    def _run(self, call: HookCall, tape: Sequence[Effect], alone: bool) -> HookResult:
        request = wire.hook_request(call, self.limits)
        if len(request) > frames.LARGEST_REQUEST - len(_STAY):
            return Failed("StateLimit", text="the hook's inputs are too large")
        if not alone and not tape and (result := self._following(call, request)) is not None:
            return result
        desk = self._desk(call, tape)
        try:
            job, sock = self._take(call.source)
            with sock:
                result = self._outcome(job, sock, request, call, desk)
        finally:
            desk.close()
        return dataclasses.replace(result, effects=tuple(desk.tape.repeated), draws=desk.dice.count)

    def _following(self, call: HookCall, request: bytes) -> HookResult | None:
        """The result of a hook that follows others of its source; None where it has to be alone,
        or where anything out of the ordinary happened: then it is executed again."""
        turn = self._my_turn(call.source)
        if turn is None:
            return None
        desk = self._desk(call, ())
        try:
            until = time.monotonic() + min(self._seconds, self._left)
            turn.sock.settimeout(rest(until))
            turn.sock.sendall(frames.pack(_STAY + request[1:]))
            result = wire.hook_result(desk.converse(turn.sock, until), call, self.limits)
        except (OSError, frames.BadFrame, wire.Broken, Differs, Full):
            result = None
        finally:
            desk.close()
        if result is None or (isinstance(result, Failed) and result.killed):
            self._end_turn()
            return None
        return dataclasses.replace(result, draws=desk.dice.count)

    def _my_turn(self, source: str) -> _Turn | None:
        """The process in which hooks of this source follow each other, waiting for the next."""
        try:
            self._prepare(source)
        except Lost:
            self._lose()
        if source not in self._forgetful:
            return None
        turn = self._turn
        if turn is None or turn.source != source or not turn.left:
            self._end_turn()
            turn = self._turn = _Turn(source, *self._take(source))
        elif not self._is_ready(turn.sock):
            self._end_turn()
            return None
        turn.left -= 1
        return turn

    def _end_turn(self) -> None:
        if self._turn is not None:
            job, sock = self._turn.job, self._turn.sock
            self._turn = None
            sock.close()
            self._bury(job)

    def _desk(self, call: HookCall, tape: Sequence[Effect]) -> Desk:
        if self._workspaces is None:
            self._directory = Path(tempfile.mkdtemp(prefix="mpx-verify-"))
            self._workspaces = Workspaces(self._directory, self.limits.workspace)
        return Desk(Tape(tape), Dice(call.key), self._workspaces.hook(), self.limits)

    def _outcome(
        self, job: int, sock: socket.socket, request: bytes, call: HookCall, desk: Desk
    ) -> HookResult:
        """As the server judges it (`Pool._outcome`)."""
        seconds = min(self._seconds, self._left)
        try:
            until = time.monotonic() + seconds
            sock.settimeout(seconds)
            sock.sendall(frames.pack(request))
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

    def _parent(self) -> Home:
        if self._home is None:
            self._home = Home({
                "memory": self.limits.memory,
                "cpu_seconds": MOST_CPU_SECONDS,
                "hook_cpu_seconds": math.ceil(self._seconds) + 2,
                "files": self.limits.workspace,
            }, networked=self._networked)  # fmt: skip
        return self._home

    def _take(self, source: str) -> tuple[int, socket.socket]:
        """A hook's process that waits for its request; the next one is forked meanwhile."""
        for _ in range(_TRIES):
            try:
                self._prepare(source)
                job, sock = self._spare or self._parent().fork()
                self._spare = None
                if self._is_ready(sock):
                    return job, sock
            except Lost:
                pass
            self._lose()
        raise CannotReplay("no process for a referee's code could be started")

    def _prepare(self, source: str) -> None:
        if source in self._read or source in self._harmful or len(source) > _LARGEST:
            return
        self._drop_spare()  # it would have to read the source by itself
        try:
            here, forgetful = self._parent().prepare(source)
            if not here:
                self._networked = True
                self._lose()
                self._parent().prepare(source)
        except Lost:
            self._harmful.add(source)
            self._networked = True  # nobody knows
            raise
        self._read.add(source)
        if forgetful:
            self._forgetful.add(source)

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

    def _drop_spare(self) -> None:
        if self._spare is not None:
            job, sock = self._spare
            self._spare = None
            sock.close()
            self._parent().forget(job)

    def _lose(self) -> None:
        if self._spare is not None:
            self._spare[1].close()
            self._spare = None
        if self._turn is not None:
            self._turn.sock.close()
            self._turn = None
        if self._home is not None:
            self._home.kill()
            self._home = None
        self._read.clear()
