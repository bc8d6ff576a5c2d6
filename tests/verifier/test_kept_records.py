"""Records of earlier releases, which every later verifier reads. What they hold does not depend on
anything else in this tree: neither on its referees nor on its server."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_multiplayer.channel.field_types import VERSION
from mcp_multiplayer.verifier import archive
from mcp_multiplayer.verifier.check import Wishes, check
from mcp_multiplayer.verifier.executor import Executor
from mcp_multiplayer.verifier.findings import DICE, OUTSIDE, RECORD, RULES, SAME, WORDS
from tests.verifier.games import states, violations
from tests.verifier.keep_record import RECORDS

KEPT = sorted(RECORDS.glob("*.zip"))


def test_there_is_one_of_the_format_that_is_written_now() -> None:
    formats = {archive.read(path).lines[0].split(b'"v":"')[1].split(b'"')[0] for path in KEPT}
    assert VERSION.encode() in formats, "python -m tests.verifier.keep_record NAME makes one"


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_it_is_proven_as_on_its_day(path: Path, jail: Executor) -> None:
    checked = check(archive.read(path), Wishes(confirmed=["alice", "bob"]), jail)
    assert not violations(checked)
    assert checked.walked.whole
    found = states(checked)
    assert [found[line] for line in (RULES, RECORD, DICE, WORDS)] == ["PROVEN"] * 4
    assert (found[SAME], found[OUTSIDE]) == ("NOT PROVEN", "NOT PROVEN")


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_a_changed_one_is_not(path: Path, jail: Executor) -> None:
    kept = archive.read(path)
    place = next(n for n, line in enumerate(kept.lines) if b'"sum":' in line)
    lines = [*kept.lines]
    lines[place] = lines[place].replace(b'"sum":', b'"Sum":')
    changed = archive.Record(**{**vars(kept), "lines": lines})
    assert violations(check(changed, Wishes(), jail))
