"""One command runs the pair: it says what is wrong, keeps both alive and leaves nothing behind.

With two small stand-ins, so that it is about the starting; the last test takes the real
pair.
"""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from mcp_multiplayer import start_servers
from mcp_multiplayer.config import Settings

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

ROOT = Path(__file__).parent.parent

STAND_IN = """
import os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Healthy(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()

    def log_message(self, *arguments):
        pass

port = os.environ["PROXY_PORT" if "oauth" in sys.argv[0] else "MCP_PORT"]
HTTPServer(("127.0.0.1", int(port)), Healthy).serve_forever()
"""


def wait(condition: Callable[[], bool], seconds: float = 15.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


class Pair:
    """start_servers.py in a process group of its own."""

    def __init__(self, root: Path, log: Path, environment: dict[str, str]) -> None:
        self.log = log
        self.port = int(environment["PROXY_PORT"])
        with log.open("w") as out:
            self.process = subprocess.Popen(
                [sys.executable, root / "start_servers.py"],
                env={**os.environ, **environment},
                cwd="/",
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        return self.log.read_text()

    def alive(self, name: str = "") -> list[int]:
        """Return the processes of the group that run and have ``name`` on their command line."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                state, _, group = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
                command = (entry / "cmdline").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(group) == self.process.pid and state not in "ZX" and name in command:
                found.append(int(entry.name))
        return found

    def ready(self) -> bool:
        return "Ctrl-C stops it." in self.said

    def status(self) -> int:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz") as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code
        except OSError:
            return 0


_NAMES = ("__init__", "addresses", "config", "connecting", "start_servers")
COPIED = [f"mcp_multiplayer/{name}.py" for name in _NAMES]
Start = Callable[..., Pair]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of start_servers.py with stand-ins beside it."""
    root = tmp_path / "tree"
    package = root / "mcp_multiplayer"
    package.mkdir(parents=True)
    for name in ("start_servers.py", *COPIED):
        shutil.copy(ROOT / name, root / name)
    for name in ("oauth_proxy", "multiplayer_server"):
        (package / f"{name}.py").write_text(STAND_IN)
    return root


@pytest.fixture
def start(tree: Path, tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Start]:
    pairs: list[Pair] = []

    def run(root: Path = tree, **environment: str) -> Pair:
        defaults = {
            "PROXY_PORT": str(free_port()),
            "MCP_PORT": str(free_port()),
            "DATA_DIR": str(tmp_path / "data"),
            "HOUSE_PLAYERS": "0",
        }
        pairs.append(Pair(root, tmp_path / f"log{len(pairs)}", {**defaults, **environment}))
        return pairs[-1]

    yield run
    for pair in pairs:
        for process in pair.alive():
            with suppress(ProcessLookupError):  # it went with the one before
                os.kill(process, signal.SIGKILL)
        pair.process.wait()


def test_it_says_what_to_paste_and_ends_when_asked(start: Start) -> None:
    pair = start()
    assert wait(pair.ready), pair.said
    url = f"http://localhost:{pair.port}"
    assert f"claude mcp add --transport http multiplayer {url}/mcp" in pair.said
    assert f'"args": ["-y", "mcp-remote", "{url}/mcp"]' in pair.said
    for word in ("programs on this machine", "Cursor", "VS Code", "PUBLIC_URL", "Data is in"):
        assert word in pair.said
    assert len(pair.alive()) == 3
    pair.process.terminate()
    assert pair.process.wait(10) == 0
    assert not pair.alive()
    assert "ended" not in pair.said


def test_ctrl_c_reaches_all_three_and_is_no_accident(start: Start) -> None:
    pair = start()
    assert wait(pair.ready), pair.said
    os.killpg(pair.process.pid, signal.SIGINT)
    assert pair.process.wait(10) == 0
    assert not pair.alive()
    assert "starting it again" not in pair.said


@pytest.mark.long
def test_one_who_does_not_listen_is_ended_all_the_same(start: Start, tree: Path) -> None:
    deaf = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    (tree / "mcp_multiplayer" / "oauth_proxy.py").write_text(deaf + STAND_IN)
    pair = start()
    assert wait(pair.ready), pair.said
    pair.process.terminate()
    assert pair.process.wait(15) == 0
    assert not pair.alive()


def test_who_dies_is_started_again(start: Start) -> None:
    pair = start()
    assert wait(pair.ready), pair.said
    for name in ("oauth_proxy", "multiplayer_server"):
        (before,) = pair.alive(name)
        os.kill(before, signal.SIGKILL)
        assert wait(lambda name=name, before=before: pair.alive(name) not in ([], [before]))  # type: ignore[misc]
        assert f"{name} was ended by SIGKILL; starting it again in 1 s." in pair.said


HOUSE = "import os, threading\nopen(os.environ['DATA_DIR'] + '/ran', 'a').write('x')\n"


def test_the_house_is_the_third_and_ends_with_the_others(start: Start, tree: Path) -> None:
    (tree / "mcp_multiplayer" / "house.py").write_text(HOUSE + "threading.Event().wait()")
    pair = start(HOUSE_PLAYERS="3")
    assert wait(pair.ready), pair.said
    (before,) = pair.alive("mcp_multiplayer.house")
    os.kill(before, signal.SIGKILL)
    assert wait(lambda: pair.alive("mcp_multiplayer.house") not in ([], [before]))
    assert "house was ended by SIGKILL; starting it again in 1 s." in pair.said
    assert len(pair.alive()) == 4 and pair.status() == 200
    pair.process.terminate()
    assert pair.process.wait(10) == 0
    assert not pair.alive()


@pytest.mark.parametrize(("end", "runs"), [("raise SystemExit(2)", 1), ("raise KeyError", 2)])
def test_a_house_that_cannot_start_stops_nobody(
    start: Start, tree: Path, tmp_path: Path, end: str, runs: int
) -> None:
    (tree / "mcp_multiplayer" / "house.py").write_text(HOUSE + end)
    pair = start(HOUSE_PLAYERS="3")
    assert wait(pair.ready), pair.said
    ran = tmp_path / "data" / "ran"
    assert wait(lambda: ran.exists() and len(ran.read_text()) >= runs)
    told = "No house plays here"
    assert wait(lambda: told in pair.said) if runs == 1 else told not in pair.said
    assert pair.status() == 200 and len(pair.alive()) >= 3


def test_nobody_outlives_the_one_who_started_them(start: Start) -> None:
    pair = start()
    assert wait(pair.ready), pair.said
    pair.process.kill()
    pair.process.wait()
    assert wait(lambda: not pair.alive(), 5)


def test_who_never_comes_up_is_given_up_with_its_own_words(start: Start, tree: Path) -> None:
    server = tree / "mcp_multiplayer" / "multiplayer_server.py"
    server.write_text("raise SystemExit('no room at the inn')")
    pair = start()
    assert pair.process.wait(20) == 1
    assert not pair.alive()
    assert "no room at the inn" in pair.said.splitlines()[-2]
    assert "multiplayer_server ended with code 1 5 times" in pair.said.splitlines()[-1]


def test_a_setting_that_only_a_program_can_judge_is_not_tried_again(
    start: Start, tree: Path
) -> None:
    refusal = "import sys; print('DATABASE_URL: no', flush=True); sys.exit(2)"
    (tree / "mcp_multiplayer" / "multiplayer_server.py").write_text(refusal)
    pair = start()
    assert pair.process.wait(20) == 1
    assert not pair.alive()
    assert pair.said.splitlines() == [
        "DATABASE_URL: no",
        "Stopped: with that setting it cannot start.",
    ]


@pytest.mark.parametrize("variable", ["PROXY_PORT", "MCP_PORT"])
def test_a_busy_port_is_one_line_with_a_remedy(start: Start, variable: str) -> None:
    first = start()
    assert wait(first.ready), first.said
    second = start(**{variable: str(first.port)})
    assert second.process.wait(10) == 2
    (line,) = second.said.splitlines()
    assert f"Port {first.port} ({variable}) is in use" in line
    assert f"{variable}={first.port + 1}" in line


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"PROXY_PORT": "8100", "MCP_PORT": "8100"}, "choose two ports"),
        ({"MCP_HOST": "192.0.2.1"}, "MCP_HOST=192.0.2.1 is no address of this machine"),
        ({"DATA_DIR": "/proc/nowhere"}, "DATA_DIR=/proc/nowhere cannot be written"),
        ({"MAX_SEATS": "many"}, "MAX_SEATS='many': "),
        ({"DOMAIN": "http://mp.example"}, "DOMAIN='http://mp.example': must be a name"),
    ],
)
def test_a_setting_that_cannot_work_is_one_line(
    start: Start, environment: dict[str, str], words: str
) -> None:
    pair = start(**environment)
    assert pair.process.wait(10) == 2
    assert words in pair.said
    assert "Traceback" not in pair.said


@pytest.mark.parametrize("name", ["ACCES_PASSCODE", "ACCESSPASSCODE"])
def test_a_misspelt_passcode_opens_no_server(start: Start, tree: Path, name: str) -> None:
    (tree / ".env").write_text(f"{name}=x\n")
    pair = start()
    assert pair.process.wait(10) == 2
    assert "did you mean ACCESS_PASSCODE?" in pair.said
    assert not pair.alive()


def test_a_public_address_is_for_the_clouds_too(start: Start) -> None:
    pair = start(PUBLIC_URL="https://mp.example")
    assert wait(pair.ready), pair.said
    assert "MCP Multiplayer is ready: https://mp.example\n" in pair.said
    assert "everyone who can reach mp.example" in pair.said
    assert "Add custom connector: https://mp.example/mcp" in pair.said
    assert "ACCESS_PASSCODE" in pair.said


def welcome(**environment: Any) -> str:
    return start_servers.welcome(Settings(_env_file=None, **environment))  # type: ignore[call-arg]


def test_it_says_whether_a_passcode_is_asked_for_wherever_it_can_be_reached() -> None:
    for address in ({}, {"domain": "mp.example"}, {"public_url": "https://mp.example"}):
        assert "No passcode is asked for" in welcome(**address)
        asked = welcome(**address, access_passcode="secret-word")
        assert "is asked for the ACCESS_PASSCODE" in asked
        assert "secret-word" not in asked


def test_who_backs_up_is_sent_to_the_page_that_says_what_not_to_put_back() -> None:
    (line,) = [line for line in welcome().split("\n") if line.startswith("Data is in")]
    assert "docs/operations.md" in line
    assert "whole" not in line  # signed-heads belongs into no backup, and a copied WAL is none


@pytest.mark.parametrize("isolation", ["auto", "strict", "unsafe"])
def test_where_no_bot_can_run_it_says_so_whatever_was_asked(
    isolation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    said = welcome(bot_isolation=isolation)
    assert "No bot runs on macOS" in said
    assert "docker compose up" in said
    assert "WITHOUT A JAIL" not in said


def test_the_real_pair_starts_heals_and_ends(start: Start) -> None:
    pair = start(ROOT)
    assert wait(pair.ready, 60), pair.said
    assert pair.status() == 200
    (server,) = pair.alive("multiplayer_server")
    os.kill(server, signal.SIGKILL)
    assert wait(lambda: pair.status() == 503, 10), pair.said
    assert wait(lambda: pair.status() == 200, 30), pair.said
    pair.process.terminate()
    assert pair.process.wait(15) == 0, pair.said
    assert wait(lambda: not pair.alive(), 5)
