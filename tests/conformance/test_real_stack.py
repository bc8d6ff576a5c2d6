"""The real proxy and the real server pass what the protocol's own makers check of any server."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_multiplayer.demo.pair import Pair
from tests.conformance import suite
from tests.conformance.bearer import bearer
from tests.conformance.suite import PRERELEASE, RUNS, STABLE, Expected
from tests.players import rest

pytestmark = pytest.mark.servers

QUICK = (PRERELEASE, "2025-11-25")  #: the run that every test run makes

TOOL = "it calls a tool of the suite's own, and a game has other tools"
RESOURCE = "it reads a resource of the suite's own, and a game has other resources"
PROMPT = "it gets a prompt of the suite's own, and a game has other prompts"
UNDECLARED = "it asks for a capability that the server does not declare: there is no such method"
NO_SESSION = "it checks sessions, and the server keeps none, so that a restart strands nobody"

#: What does not apply to a server that has tools of its own; `test_proxy.py` tries it, too.
NOT_APPLICABLE = {
    "completion-complete": UNDECLARED,
    "http-custom-header-server-validation": "no tool here has an argument that goes in a header",
    "json-schema-2020-12": TOOL,
    "prompts-get-embedded-resource": PROMPT,
    "prompts-get-simple": PROMPT,
    "prompts-get-with-args": PROMPT,
    "prompts-get-with-image": PROMPT,
    "resources-read-binary": RESOURCE,
    "resources-read-text": RESOURCE,
    "resources-templates-read": RESOURCE,
    "tools-call-audio": TOOL,
    "tools-call-embedded-resource": TOOL,
    "tools-call-error": TOOL,
    "tools-call-image": TOOL,
    "tools-call-mixed-content": TOOL,
    "tools-call-simple-text": TOOL,
    "tools-call-with-progress": TOOL,
    # Of the eras with sessions only:
    "elicitation-sep1034-defaults": TOOL,
    "elicitation-sep1330-enums": TOOL,
    "logging-set-level": UNDECLARED,
    "resources-subscribe": UNDECLARED,
    "resources-unsubscribe": UNDECLARED,
    "server-session-lifecycle": NO_SESSION,
    "server-sse-polling": TOOL,
    "tools-call-elicitation": TOOL,
    "tools-call-sampling": TOOL,
    "tools-call-with-logging": UNDECLARED,
    # Of the era without sessions only:
    "input-required-result-basic-elicitation": TOOL,
    "input-required-result-basic-list-roots": TOOL,
    "input-required-result-basic-sampling": TOOL,
    "input-required-result-capability-check": TOOL,
    "input-required-result-multi-round": TOOL,
    "input-required-result-multiple-input-requests": TOOL,
    "input-required-result-non-tool-request": PROMPT,
    "input-required-result-request-state": TOOL,
    "input-required-result-result-type": TOOL,
    "input-required-result-tampered-state": TOOL,
    "server-stateless:sep-2575-http-server-no-independent-requests-on-stream": TOOL,
    "server-stateless:sep-2575-missing-capability-http-400": TOOL,
    "server-stateless:sep-2575-server-no-log-without-loglevel": TOOL,
    "server-stateless:sep-2575-server-rejects-undeclared-capability": TOOL,
}


def expected(revision: str) -> Expected:
    """What may fail in a run of ``revision``."""
    found = dict(NOT_APPLICABLE)
    if revision < "2026":
        found["server-sse-multiple-streams"] = NO_SESSION
    return found


async def tried(pair: Pair, tool: suite.Suite, revision: str, results: Path) -> suite.Outcomes:
    async with rest(pair.base, "conformance") as account, bearer(pair.base, account.token) as base:
        return await tool.server(f"{base}/mcp", revision, results)


def _marks(run: tuple[str, str]) -> list[pytest.MarkDecorator]:
    if run == QUICK:
        return []
    # In its newest revision the suite waits half a second for what comes on a stream.
    return [pytest.mark.long, pytest.mark.alone] if run[1] >= "2026" else [pytest.mark.long]


@pytest.mark.parametrize(
    ("version", "revision"),
    [pytest.param(*run, marks=_marks(run)) for run in RUNS],
)
async def test_nothing_fails_that_applies_to_a_server_of_games(
    pair: Pair, request: pytest.FixtureRequest, tmp_path: Path, version: str, revision: str
) -> None:
    tool = suite.installed(request, version)
    outcomes = await tried(pair, tool, revision, tmp_path / "results")
    assert suite.complaints(outcomes, expected(revision)) == []


@pytest.mark.long
async def test_what_does_not_apply_is_in_the_suite(request: pytest.FixtureRequest) -> None:
    known = set().union(
        *[await suite.installed(request, v).scenarios() for v in (STABLE, PRERELEASE)]
    )
    assert {entry.partition(":")[0] for entry in NOT_APPLICABLE} <= known
