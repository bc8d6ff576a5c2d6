"""Programs from npm that tests use, each installed once at one version into pytest's cache."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

#: Tokens as language models count them; the vocabularies come inside the package.
TOKENIZER = ("gpt-tokenizer@4.0.0",)


def missing() -> list[str]:
    """What of Node is not on this machine."""
    return [tool for tool in ("node", "npm", "npx") if shutil.which(tool) is None]


def installed(directory: Path, packages: tuple[str, ...]) -> Path:
    """The directory with the packages in it, from npm the first time."""
    stamp = directory / "installed"
    if not stamp.exists() or stamp.read_text() != " ".join(packages):
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "package.json").write_text('{"private": true}')
        done = subprocess.run(
            ["npm", "install", "--save-exact", "--no-audit", "--no-fund", *packages],
            cwd=directory,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"npm could not install {packages}:\n{done.stderr[-2000:]}"
        stamp.write_text(" ".join(packages))
    return directory
