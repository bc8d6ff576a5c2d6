"""The real pair of processes on free ports, for tests that come from outside."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from mcp_multiplayer.demo import ports

#: The checkout, or the directory that the package is installed in.
ROOT = Path(__file__).resolve().parents[2]
SERVER = "mcp_multiplayer.multiplayer_server"
PROXY = "mcp_multiplayer.oauth_proxy"
SUPERVISOR = "mcp_multiplayer.start_servers"
PATIENCE = 60.0  #: seconds; on a busy machine a start takes many times its usual two


def eventually(condition: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    """Wait until ``condition`` holds, or fail naming ``what`` was waited for."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
        time.sleep(0.02)


def _program(name: str) -> list[str]:
    """A module, or a file of the checkout."""
    return [str(ROOT / name)] if name.endswith(".py") else ["-m", name]


class Pair:
    """Proxy and server on a data directory of their own.

    ``supervised``: run by start_servers.py, which starts again who dies, after a pause that
    doubles. Otherwise as in two terminals, and `kill` starts again at once.
    ``server``: another build of the server, a module or a file of the checkout.
    """

    def __init__(
        self,
        directory: Path,
        *,
        supervised: bool = False,
        server: str = SERVER,
        **environment: str,
    ) -> None:
        outer, inner = ports.unused(), ports.unused()
        self.base = f"http://127.0.0.1:{outer}"
        self._inner = f"http://127.0.0.1:{inner}"
        self.directory = directory
        self._supervised = supervised
        self._server = server
        self.environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.getenv("PYTHONPATH")])),
            "PROXY_PORT": str(outer),
            "MCP_PORT": str(inner),
            "DATA_DIR": str(directory / "data"),
            "RATE_LIMIT": "0",
            "BOT_EGRESS": "none",  # no test leaves this machine
            "HOUSE_PLAYERS": "0",
            **environment,
        }
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._groups: list[int] = []

    @property
    def output(self) -> str:
        """Everything either process has said."""
        return (self.directory / "output").read_text(errors="replace")

    def start(self) -> Pair:
        self.launch()
        self.wait()
        return self

    def launch(self) -> None:
        """Start without waiting until it answers."""
        self.directory.mkdir(parents=True, exist_ok=True)
        for name in (SUPERVISOR,) if self._supervised else (self._server, PROXY):
            self._run(name)

    def wait(self) -> None:
        """Wait until proxy and server answer."""
        try:
            eventually(lambda: self.healthy() or self._over(), "the pair to answer")
            assert not self._over(), "one of the pair ended"
        except AssertionError as error:
            raise AssertionError(f"{error}; it said:\n{self.output[-4000:]}") from None

    def _over(self) -> bool:
        return any(process.poll() is not None for process in self._running.values())

    def healthy(self) -> bool:
        """Both are asked: the proxy may remember a server that was there a second ago."""
        try:
            # Without the roots of https, which take longer to load than all the rest.
            answers = [
                httpx.get(f"{base}/healthz", verify=False).status_code
                for base in (self._inner, self.base)
            ]
            return answers == [200, 200]
        except httpx.TransportError:
            return False

    def kill(self, name: str, meanwhile: Callable[[], None] = lambda: None) -> None:
        """kill -9 one of the two. It is back some time later; `wait` waits for that. What
        happens ``meanwhile`` needs a pair that is not supervised."""
        if self._supervised:
            os.kill(self._child(name), signal.SIGKILL)
            return
        self._running[name].kill()
        self._running[name].wait()
        meanwhile()
        self._run(name)

    def terminate(self, *names: str) -> None:
        """Ask these to end, all at the same moment, as an operator or a supervisor does."""
        for name in names:
            if self._supervised and name != SUPERVISOR:
                os.kill(self._child(name), signal.SIGTERM)
            else:
                self._running[name].terminate()

    def run_again(self, *names: str) -> None:
        """Start these anew, once they have ended by themselves, and wait until all is well."""
        for name in names:
            assert self._running[name].wait(PATIENCE) == 0, self.output[-4000:]
            self._run(name)
        self.wait()

    def stop(self) -> None:
        """End whatever still runs, all of each process group."""
        for group in self._groups:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
        for process in self._running.values():
            process.wait()

    def _run(self, name: str) -> None:
        with (self.directory / "output").open("ab") as output:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-u", *_program(name)],
                env=self.environment,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._groups.append(self._running[name].pid)

    def _child(self, name: str) -> int:
        group = self._running[SUPERVISOR].pid
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                command = (entry / "cmdline").read_text().split("\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[2]) == group and fields[0] not in "ZX" and name in command:
                return int(entry.name)
        raise AssertionError(f"{name} is not running")
