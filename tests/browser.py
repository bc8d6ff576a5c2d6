"""The browser that tests drive: a Chromium that the machine has, else one out of a pinned npm
package, which brings its libraries and a font along, so that a machine with only Python runs these
tests, too. There is no test that passes because no browser was found.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from tests import npm

_NAMES = ("chromium", "chromium-browser", "google-chrome")
PACKAGE = ("@sparticuz/chromium@153.0.0",)
_UNPACK = (
    'import chromium from "@sparticuz/chromium"; console.log(await chromium.executablePath());'
)


@dataclass(frozen=True)
class Chromium:
    """A program, and what has to stand in its environment."""

    program: str
    environment: dict[str, str] = field(default_factory=dict)

    #: As root there is no sandbox of Chromium's own; its shared memory is small in containers.
    arguments = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu")


@functools.cache
def chromium(cache: Path) -> Chromium:
    """A Chromium that starts. ``cache``: a directory that outlives the run of tests."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is not None and _starts(Chromium(found)):
        return Chromium(found)
    packed = _from_npm(npm.installed(cache / "chromium", PACKAGE))
    assert _starts(packed), (
        "no Chromium starts here: neither one of this machine nor that of npm's"
        f" {PACKAGE[0]}; install one, as with: apt-get install chromium"
    )
    return packed


def _from_npm(directory: Path) -> Chromium:
    """Unpack what the package holds, beside it; the second time it is there."""
    unpacked = directory / "unpacked"
    unpacked.mkdir(exist_ok=True)
    # It takes its libraries along only where it believes to be in one of Amazon's machines.
    environment = {**os.environ, "TMPDIR": str(unpacked), "AWS_LAMBDA_JS_RUNTIME": "nodejs22.x"}
    command = [str(npm.NODE), "--input-type=module", "--eval", _UNPACK]
    done = subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, check=True
    )
    libraries = {
        "LD_LIBRARY_PATH": str(unpacked / "al2023/lib"),
        "FONTCONFIG_PATH": str(unpacked / "fonts"),
    }
    return Chromium(done.stdout.strip(), libraries)


def _starts(browser: Chromium) -> bool:
    try:
        command = [browser.program, "--version"]
        environment = os.environ | browser.environment
        return subprocess.run(command, env=environment, capture_output=True).returncode == 0
    except OSError:
        return False
