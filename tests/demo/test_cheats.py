"""Each server that cheats, as a real process, is found out; one that does not is not accused."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_multiplayer.demo import acts
from mcp_multiplayer.demo.acts import CHEATS, HONEST, OPEN, UNSHOWN, Act, Outcome

pytestmark = pytest.mark.servers


def performed(act: Act, directory: Path) -> Outcome:
    with acts.serving(act, directory) as pair:
        return acts.perform(act, pair)


#: Each act is a pair of servers; these are tried every time, the others with --all.
ALWAYS = {"rewritten_word", "two_logs"}


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(act, id=act.name, marks=() if act.name in ALWAYS else pytest.mark.long)
        for act in (*CHEATS, *UNSHOWN)
    ],
)
def test_a_server_that_cheats_is_found_out(act: Act, tmp_path: Path) -> None:
    outcome = performed(act, tmp_path)
    assert act.code in outcome.verdict.codes
    assert outcome.verdict.exit == 1
    assert outcome.as_expected
    assert "report.txt" in outcome.verdict.evidence


@pytest.mark.parametrize("act", OPEN, ids=lambda act: act.name)
def test_what_cannot_be_known_is_not_proven(act: Act, tmp_path: Path) -> None:
    outcome = performed(act, tmp_path)
    states = {line["line"]: line["state"] for line in outcome.verdict.lines}
    assert states["RULES"] == "NOT PROVEN"
    assert outcome.verdict.exit == 2


def test_a_server_that_does_not_cheat_is_not_accused(tmp_path: Path) -> None:
    outcome = performed(HONEST, tmp_path)
    states = {line["line"]: line["state"] for line in outcome.verdict.lines}
    assert states.pop("OUTSIDE") == "NOT PROVEN"
    assert set(states.values()) == {"PROVEN"}
    assert outcome.verdict.exit == 0
    assert outcome.as_expected
