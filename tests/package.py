"""The wheel, as somebody who installs it gets it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def build_wheel(source: Path, into: Path) -> Path:
    """Build the project in ``source``; its build backend comes from the package index."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(
        [*command, "--no-deps", "--wheel-dir", str(into), str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = into.glob("*.whl")
    return wheel
