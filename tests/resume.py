"""`scripts/test --all` goes on where it was cut off: what passed is not run again.

A test counts as passed while neither its own file nor anything but other test files has changed
(product, settings, helpers of tests), under the same Python. So one mended test file runs again
alone, and a change of the product runs everything. `.pytest_cache/d/passed` holds the list;
without it (`rm -r .pytest_cache`) everything runs. What failed is written to
`.pytest_cache/d/failed` at once, with its reasons: a run that is cut off has told what it saw.
"""

from __future__ import annotations

import hashlib
import json
import platform
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
PASSED = "passed"  # a directory in pytest's cache: one file a state of the tree
FAILED = "failed"  # and a file there of what failed, for the run that goes on
NOT_SOURCE = {"__pycache__", "node_modules", "data", "dist", "build", "evidence", "results"}


def pytest_configure(config: pytest.Config) -> None:
    """Have this run leave out what the list names, and add to the list."""
    if hasattr(config, "workerinput"):  # all workers of xdist must leave out the same
        config.pluginmanager.register(_LeftOut(set(config.workerinput[PASSED])))
        return
    assert config.cache is not None
    rest = _rest()
    passed, failed = (config.cache.mkdir(name) / rest for name in (PASSED, FAILED))
    config.pluginmanager.register(_Passing(passed, failed))


class _LeftOut:
    """The tests that had passed in this state of the tree before this run."""

    def __init__(self, before: set[str]) -> None:
        self._before = before
        self._digests: dict[str, str] = {}

    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        out = [item for item in items if self._line(item.nodeid) in self._before]
        if out:
            config.hook.pytest_deselected(items=out)
            items[:] = [item for item in items if item not in set(out)]

    def _line(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file not in self._digests:
            self._digests[file] = _digest([ROOT / file])
        return json.dumps([self._digests[file], nodeid])


class _Passing(_LeftOut):
    """The same, in the process that hears how each test ends."""

    def __init__(self, file: Path, failed: Path) -> None:
        super().__init__(set(file.read_text("utf-8").splitlines()) if file.exists() else set())
        self._file, self._failed = file, failed
        self._not_passed: set[str] = set()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput[PASSED] = sorted(self._before)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if not report.passed:  # a skip is not a pass
            self._not_passed.add(report.nodeid)
            with self._failed.open("a", encoding="utf-8") as out:
                out.write(f"{report.outcome} {report.nodeid}\n{report.longreprtext}\n")
        elif report.when == "teardown" and report.nodeid not in self._not_passed:
            with self._file.open("a", encoding="utf-8") as out:
                out.write(self._line(report.nodeid) + "\n")


def _rest() -> str:
    """Name the state of everything that is not a test file."""
    own = set((ROOT / "tests").rglob("test_*.py"))
    files = [
        path
        for path in sorted(ROOT.rglob("*"))
        if path.is_file()
        and not NOT_SOURCE.intersection(path.relative_to(ROOT).parts)
        and not path.relative_to(ROOT).parts[0].startswith(".")
        and path not in own
    ]
    return _digest(files)


def _digest(files: list[Path]) -> str:
    whole = hashlib.sha256(platform.python_version().encode())
    for path in files:
        whole.update(str(path.relative_to(ROOT)).encode() + b"\0")
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()
