"""What is installed: the wheel alone starts the server, plays a game and verifies it."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from mcp_multiplayer.config import VERSION
from tests.package import build_wheel

ROOT = Path(__file__).parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pins() -> dict[str, Version]:
    text = (ROOT / "requirements.txt").read_text()
    return {
        name: Version(version)
        for name, version in re.findall(r"^([a-z0-9-]+)==([^ ;#\n]+)", text, re.MULTILINE)
    }


def chosen() -> set[str]:
    text = (ROOT / "requirements.txt").read_text().partition("# What those bring along")[0]
    return set(re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE))


def test_every_range_holds_the_version_that_is_tested_and_has_an_end() -> None:
    pinned = pins()
    for requirement in map(Requirement, PROJECT["dependencies"]):
        assert pinned[requirement.name] in requirement.specifier, requirement
        ends = {one.operator for one in requirement.specifier}
        assert "<" in ends or requirement.name == "certifi", requirement  # the newest roots


def test_what_we_chose_is_what_the_package_asks_for() -> None:
    assert {Requirement(one).name for one in PROJECT["dependencies"]} == chosen()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(ROOT, tmp_path_factory.mktemp("wheel"))


def test_the_wheel_has_one_package_the_bots_and_one_version(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        names = packed.namelist()
    assert {name.split("/")[0] for name in names} == {
        "mcp_multiplayer",
        f"mcp_multiplayer-{VERSION}.dist-info",
    }
    bots = {path.name for path in (ROOT / "bots").glob("*.py")}
    assert {name.rpartition("/")[2] for name in names if "/bots/" in name} >= bots


@pytest.mark.long
def test_alone_in_an_empty_venv_it_serves_plays_and_verifies(wheel: Path, tmp_path: Path) -> None:
    """`mcp-multiplayer demo` starts the real pair, plays and has the verifier judge."""
    venv.create(tmp_path / "venv", with_pip=True)
    there = tmp_path / "venv" / "bin"
    options = ["--quiet", "--disable-pip-version-check"]
    options += ["--constraint", str(ROOT / "requirements.txt")]
    subprocess.run([str(there / "pip"), "install", *options, str(wheel)], check=True)
    done = subprocess.run(
        [there / "mcp-multiplayer", "demo"],
        cwd=tmp_path,
        env={"PATH": str(there), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The verifier (exit 0):" in done.stdout
    assert str(ROOT) not in done.stdout + done.stderr
    version = subprocess.run(
        [there / "mcp-multiplayer", "--version"], capture_output=True, text=True, check=True
    )
    assert version.stdout.strip() == VERSION
    assert sys.prefix not in done.stdout


@pytest.mark.parametrize("door", ["multiplayer_server.py", "oauth_proxy.py"])
def test_a_program_of_a_checkout_is_the_packages(door: str, tmp_path: Path) -> None:
    """It reads the settings and says in one line which it cannot use."""
    done = subprocess.run(
        [sys.executable, ROOT / door],
        cwd=tmp_path,
        env={"PATH": "/usr/bin", "MCP_PORT": "eighty", "PROXY_PORT": "eighty"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "_PORT='eighty'" in done.stderr and "Traceback" not in done.stderr


def test_the_designs_classes_are_found_under_their_modules() -> None:
    program = (
        "import bot_manager, channel_manager\n"
        "from mcp_multiplayer.service.bot_manager import BotManager\n"
        "from mcp_multiplayer.service.channel_manager import ChannelManager\n"
        "assert bot_manager.BotManager is BotManager\n"
        "assert channel_manager.ChannelManager is ChannelManager\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_the_command_names_its_commands_and_refuses_others() -> None:
    command = [sys.executable, "-m", "mcp_multiplayer.cli"]
    told = subprocess.run([*command, "--help"], capture_output=True, text=True, check=True)
    for name in ("start", "verify", "demo", "run-bot", "fairness", "rotate-log-key"):
        assert re.search(rf"^  {name} ", told.stdout, re.MULTILINE)
    refused = subprocess.run([*command, "begin"], capture_output=True, text=True, check=False)
    assert refused.returncode == 2 and "begin" in refused.stderr
