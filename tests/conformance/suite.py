"""The conformance suite of the protocol's own makers, from npm at exact versions: installed, run,
and its results read from the files that it leaves.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests import npm

#: The newest of each kind. The older tool knows no 2026-07-28 and no authorization server.
STABLE = "0.1.16"
PRERELEASE = "0.2.0-alpha.12"
#: What each speaks. The older one filters by revision and always speaks its newest.
RUNS = [
    (STABLE, "2025-11-25"),
    (PRERELEASE, "2025-06-18"),
    (PRERELEASE, "2025-11-25"),
    (PRERELEASE, "2026-07-28"),
]

_PACKAGE = "@modelcontextprotocol/conformance"
_SCENARIO_MS = "120000"  #: a ceiling for one scenario; the older tool has none
_CEILING = 900.0  #: seconds for a whole run, on however busy a machine
_DIRECTORY = re.compile(r"(?:authorization-)?server-(?P<name>.+)-\d{4}-\d\d-\d\dT[\d-]+Z")
_FORM = "wire-schema-valid"  #: in every scenario: all messages follow the protocol's own schema
_WORSE = ("FAILURE", "WARNING")


@dataclass(frozen=True)
class Outcome:
    """What one scenario found: ids of checks, those that are not well with what was said."""

    passed: tuple[str, ...] = ()
    failed: dict[str, str] = field(default_factory=dict)
    warned: dict[str, str] = field(default_factory=dict)


Outcomes = dict[str, Outcome]
Expected = Mapping[str, str]  #: what may fail, and why


class Suite:
    """One version of the tool."""

    def __init__(self, directory: Path, version: str) -> None:
        self.version = version
        self._program = directory / "node_modules" / _PACKAGE / "dist/index.js"

    async def scenarios(self) -> set[str]:
        """The names of all that it can try a server with."""
        async with self.running("list", "--server") as process:
            said, _ = await process.communicate()
        return set(re.findall(r"^  - (\S+)", said.decode(), re.MULTILINE))

    async def server(self, url: str, revision: str, results: Path, *more: str) -> Outcomes:
        """Try the MCP endpoint at ``url`` with every scenario that ``revision`` knows."""
        command = ["server", "--url", url, "--suite", "all", "--spec-version", revision, *more]
        if self.version != STABLE:
            command += ["--timeout", _SCENARIO_MS]
        async with self.running(*command, "-o", str(results)) as process:
            said, _ = await process.communicate()
        outcomes = read(results, said)
        meant = re.search(rb"Running .* \((\d+) scenarios\)", said)
        assert meant and len(outcomes) == int(meant[1]), f"the suite broke off: {said[-2000:]!r}"
        return outcomes

    @asynccontextmanager
    async def running(self, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """Run the tool; it never outlives this."""
        process = await asyncio.create_subprocess_exec(
            npm.NODE,
            self._program,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(_CEILING):
                yield process
                await process.wait()
        finally:
            # Killing one that has ended would take its end away from asyncio, which waits for it.
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
            await process.wait()


def installed(request: pytest.FixtureRequest, version: str) -> Suite:
    """The tool in pytest's cache, from npm the first time."""
    cache = request.config.cache
    assert cache is not None
    directory = cache.mkdir("npm") / f"conformance-{version}"
    return Suite(npm.installed(directory, (f"{_PACKAGE}@{version}",)), version)


def read(results: Path, said: bytes = b"") -> Outcomes:
    """What every scenario of a run found. One that broke off left a directory and no checks."""
    directories = sorted(results.iterdir()) if results.exists() else []
    assert directories, f"the suite ran nothing; it said:\n{said.decode(errors='replace')[-4000:]}"
    return {_name(one): _outcome(one / "checks.json") for one in directories}


def _name(directory: Path) -> str:
    found = _DIRECTORY.fullmatch(directory.name)
    assert found, f"{directory.name} is not named as the results of a scenario were"
    return found["name"]


def _outcome(path: Path) -> Outcome:
    if not path.exists():
        return Outcome(failed={"scenario": "it broke off; what the suite said names the error"})
    checks = json.loads(path.read_text())
    bad = {
        status: {
            check["id"]: f"{check['name']}: {check.get('errorMessage', '')}"
            for check in checks
            if check["status"] == status
        }
        for status in _WORSE
    }
    good = tuple(check["id"] for check in checks if check["status"] == "SUCCESS")
    return Outcome(good, bad["FAILURE"], bad["WARNING"])


def complaints(outcomes: Outcomes, expected: Expected) -> list[str]:
    """What a run of ``outcomes`` did that nobody ``expected``, for better or worse.

    An entry is a scenario, or `scenario:check` so that the other checks of it still count. What was
    said must be well formed whatever it was. An entry that excuses nothing is a complaint, too: so
    the list stays as short as it can be.
    """
    found, used = [], set()
    for scenario, outcome in outcomes.items():
        for check, said in outcome.failed.items() if outcome.failed else _nothing(outcome):
            entries = {f"{scenario}:{check}", *([scenario] if check != _FORM else [])}
            entries &= expected.keys()
            used |= entries
            found += [] if entries else [f"{scenario}:{check} failed: {said}"]
    idle = {entry for entry in expected.keys() - used if entry.partition(":")[0] in outcomes}
    return found + [f"{entry} passed, and was expected to fail" for entry in sorted(idle)]


def _nothing(outcome: Outcome) -> list[tuple[str, str]]:
    """A scenario in which no check passed says nothing for us, though none failed."""
    return [] if outcome.passed else [("none", f"no check applied: {outcome.warned}")]
