"""The container without Docker: what is linted, what is published, what comes along."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mcp_multiplayer.verifier.verdict import CONTAINER
from tests.package import build_wheel
from tests.verifier.games import table

ROOT = Path(__file__).parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()
PROGRAMS = ("oauth_proxy.py", "multiplayer_server.py")
ALLOWED = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)


def compose() -> dict[str, Any]:
    """Read docker-compose.yml as Docker does when nothing is set."""
    text, before = (ROOT / "docker-compose.yml").read_text(), ""
    while text != before:
        text, before = re.sub(r"\$\{\w+:-([^${}]*)\}", r"\1", text), text
    assert "$" not in text, "a variable without a default stops `docker compose up`"
    read: dict[str, Any] = yaml.safe_load(text)
    return read


def instructions(name: str) -> list[str]:
    joined = re.sub(r"\\\n", " ", DOCKERFILE)
    return re.findall(rf"^{name} (.+)$", joined, re.MULTILINE)


def test_the_dockerfile_is_linted() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run(
        [hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert done.stdout + done.stderr == ""


def test_without_a_profile_only_the_proxy_is_published() -> None:
    services = [service for service in compose()["services"].values() if "profiles" not in service]
    assert [port for service in services for port in service["ports"]] == ["127.0.0.1:8100:8100"]
    assert instructions("EXPOSE") == ["8100"]


def test_the_public_profile_adds_https() -> None:
    caddy = compose()["services"]["caddy"]
    assert caddy["profiles"] == ["public"]
    assert {"80:80", "443:443"} <= set(caddy["ports"])
    trusted = compose()["services"]["multiplayer"]["environment"]["TRUSTED_PROXIES"]
    assert trusted == caddy["networks"]["front"]["ipv4_address"]
    assert (ROOT / "deploy" / "Caddyfile").read_text().count("{$DOMAIN}") == 1


@pytest.mark.parametrize("name", ["multiplayer", "caddy"])
def test_every_container_is_fenced_in(name: str) -> None:
    service = compose()["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["pids_limit"] and service["mem_limit"]
    assert service["restart"] == "unless-stopped"


def test_bots_write_to_a_hundred_megabytes_of_memory() -> None:
    mounts = compose()["services"]["multiplayer"]["tmpfs"]
    assert any(mount.startswith("/workspaces:size=100m,mode=0700,uid=1000") for mount in mounts)
    assert "TMPDIR=/workspaces" in instructions("ENV")[0]


def test_the_image_runs_as_an_ordinary_user_and_can_be_asked_how_it_is() -> None:
    assert "--uid 1000" in DOCKERFILE and "botuser" in DOCKERFILE
    assert instructions("USER") == ["1000:1000"]
    assert instructions("CMD") == ['["mcp-multiplayer", "start"]']
    assert "/healthz" in instructions("HEALTHCHECK")[0]


def test_what_is_copied_is_there() -> None:
    for line in instructions("COPY"):
        source, *more, _ = shlex.split(line)
        assert not more or source == "--from=build"
        assert more or (ROOT / source).exists()


def test_the_image_takes_along_the_programs_and_nothing_that_lies_about() -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    if not tracked:
        pytest.skip("no git here to say what belongs to the project")
    tops = {path.split("/")[0] for path in tracked if path.endswith(".py")}
    left_out = {path for path in tops if path.endswith(".py")}  # the doors of a checkout
    assert tops - left_out - {"tests", "scripts", "benchmarks"} <= set(ALLOWED)
    assert not {".env", ".env.scripts", "data", ".git", ".venv"} & set(ALLOWED)
    assert (ROOT / ".dockerignore").read_text().splitlines()[1] == "*"


# The steps of the Dockerfile, walked without Docker


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from what .dockerignore lets through."""
    source = tmp_path_factory.mktemp("src")
    for name in ALLOWED:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, source / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, source)
    return build_wheel(source, tmp_path_factory.mktemp("wheel"))


@pytest.fixture
def image(wheel: Path) -> Iterator[Path]:
    """Lay out /app with what the wheel holds: root's, for everybody to read."""
    top = Path(
        tempfile.mkdtemp(prefix="mp-image-")
    )  # pytest's own directories are closed to others
    app = top / "app"
    app.mkdir()
    top.chmod(0o755)
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(app)
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(app)], check=True)
    for name in ("data", "workspaces"):
        (top / name).mkdir(mode=0o700)
        os.chown(top / name, 1000, 1000)
    yield top
    shutil.rmtree(top)


def botusers_python(image: Path) -> tuple[str, str]:
    """An interpreter of our version and our libraries, both where botuser may go: a home
    directory, where pyenv and checkouts live, is often closed to others."""
    libraries = Path(sysconfig.get_paths()["purelib"])
    if not _may_read(libraries):
        libraries = shutil.copytree(libraries, image / "libraries", symlinks=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, f"/usr/local/bin/{version}", f"/usr/bin/{version}"):
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            subprocess.run(
                [python, "-c", "import uvicorn, aiohttp"],
                user=1000,
                group=1000,
                cwd="/",
                env={"PYTHONPATH": str(libraries)},
                capture_output=True,
                check=True,
            )
            return python, str(libraries)
    pytest.skip(f"no {version} here that another user may run")


def _may_read(place: Path) -> bool:
    command = ["ls", str(place)]
    done = subprocess.run(command, user=1000, group=1000, capture_output=True, check=False)
    return done.returncode == 0


@pytest.mark.servers
@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can be botuser")
def test_it_runs_as_botuser_with_code_it_cannot_write(
    image: Path, free_port: Callable[[], int]
) -> None:
    python, libraries = botusers_python(image)
    port = free_port()
    environment = dict(pair.split("=", 1) for pair in instructions("ENV")[0].split())
    environment |= {
        "PATH": os.environ["PATH"],
        "PROXY_PORT": str(port),
        "MCP_PORT": str(free_port()),
        "PROXY_HOST": "127.0.0.1",
        "DATA_DIR": str(image / "data"),
        "TMPDIR": str(image / "workspaces"),
        "HOME": "/nonexistent",
        "PYTHONPATH": libraries,
    }
    program = subprocess.Popen(
        [python, "-m", "mcp_multiplayer.cli", "start"],
        cwd=image / "app",
        env=environment,
        user=1000,
        group=1000,
        extra_groups=[],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert program.stdout
    try:
        said = ""
        while "Ctrl-C stops it." not in said:
            line = program.stdout.readline()
            assert line, said
            said += line
        (check,) = instructions("HEALTHCHECK")
        question = yaml.safe_load(check[check.index("[") :])[1:]
        asked = subprocess.run([python, *question], env=environment, check=False)
        assert asked.returncode == 0
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz") as answer:
            assert answer.status == 200
    finally:
        program.send_signal(signal.SIGTERM)
        rest, _ = program.communicate(timeout=20)
    assert program.returncode == 0, rest
    assert {path.stat().st_uid for path in (image / "data").rglob("*")} == {1000}


def test_the_line_that_verifies_is_the_same_everywhere() -> None:
    words = CONTAINER.split()
    assert words[words.index("python") - 1] == compose()["services"]["multiplayer"]["image"]
    for page in ("Dockerfile", "README.md", "docs/trust.md"):
        assert CONTAINER in (ROOT / page).read_text(), page


@pytest.mark.asyncio
@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can be botuser")
async def test_the_image_verifies_a_record_that_it_cannot_write_beside(image: Path) -> None:
    async with table() as server:
        game = await (await server.open("CoinBot")).seated()
        await game.say("alice", "heads")
        await game.leave("bob")
        file = game.bundle()
    record = image / "record"
    record.mkdir(mode=0o555)
    file.save(record / "FILE.zip").chmod(0o444)
    python, libraries = botusers_python(image)
    environment = dict(pair.split("=", 1) for pair in instructions("ENV")[0].split())
    environment |= {"TMPDIR": str(image / "workspaces"), "PYTHONPATH": libraries}
    command = CONTAINER.replace("/record/", f"{record}/").split()
    done = await asyncio.to_thread(
        subprocess.run,
        [python, *command[command.index("python") + 1 :], "--json"],
        cwd=image / "app",
        env=environment,
        user=1000,
        group=1000,
        extra_groups=[],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    told = json.loads(done.stdout)
    assert told["walls"].startswith("seccomp") and told["executed"] > 0
    assert not [one for one in told["verdict"] if one["state"] == "VIOLATED"]
