"""One DATA_DIR has one server: of two, neither wakes the readers of the other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mcp_multiplayer.demo import ports
from mcp_multiplayer.demo.pair import PROXY, ROOT, SERVER, Pair, eventually
from tests.sample import sample

pytestmark = pytest.mark.servers
DOORS = ["multiplayer_server.py", "start_servers.py"]


def second(pair: Pair, program: str) -> subprocess.CompletedProcess[str]:
    """Start one more beside the pair, on ports of its own."""
    more = {"PROXY_PORT": str(ports.unused()), "MCP_PORT": str(ports.unused())}
    return subprocess.run(
        [sys.executable, str(ROOT / program)],
        env={**pair.environment, **more},
        cwd=pair.directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("program", sample(DOORS, {DOORS[0]}))
def test_a_second_server_on_one_directory_is_refused(pair: Pair, program: str) -> None:
    done = second(pair, program)
    assert done.returncode != 0
    told = done.stderr.splitlines()  # of a pair, one or both have the time to say so
    assert told
    assert all("works there" in line and str(pair.directory / "data") in line for line in told)
    assert pair.healthy()


def test_the_directory_is_free_at_once_when_its_server_is_killed(tmp_path: Path) -> None:
    """Whatever its sandbox has started may live a moment longer."""
    pair = Pair(tmp_path)
    try:
        pair.start()
        for name in (SERVER, PROXY):
            pair.kill(name)
        eventually(pair.healthy, "both to be back")
        assert "works there" not in pair.output
    finally:
        pair.stop()
