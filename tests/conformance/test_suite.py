"""What the conformance tests stand on: the judge, and the listener that adds a token."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from tests.conformance import suite
from tests.conformance.bearer import bearer
from tests.conformance.suite import Outcome
from tests.edge.harness import Upstream, serving

NAME = "café".encode()
WELL = Outcome(passed=("a", "b"))
BAD = Outcome(passed=("a",), failed={"b": "it is not so"})


@pytest.mark.parametrize("entry", ["one", "one:b"])
def test_a_failure_is_excused_by_its_scenario_or_its_check(entry: str) -> None:
    assert suite.complaints({"one": BAD}, {entry: "why"}) == []


@pytest.mark.parametrize("entry", ["two", "one:a"])
def test_a_failure_is_not_excused_by_another_entry(entry: str) -> None:
    assert "one:b failed: it is not so" in suite.complaints({"one": BAD}, {entry: "why"})


def test_a_message_that_is_not_well_formed_is_excused_by_its_own_name_only() -> None:
    bad = {"one": Outcome(failed={"wire-schema-valid": "no jsonrpc"})}
    assert "one:wire-schema-valid failed: no jsonrpc" in suite.complaints(bad, {"one": "why"})
    assert suite.complaints(bad, {"one:wire-schema-valid": "why"}) == []


@pytest.mark.parametrize("entry", ["one", "one:b"])
def test_an_entry_that_excuses_nothing_is_a_complaint(entry: str) -> None:
    found = suite.complaints({"one": WELL}, {entry: "why"})
    assert found == [f"{entry} passed, and was expected to fail"]


def test_an_entry_for_a_scenario_that_did_not_run_is_none() -> None:
    assert suite.complaints({"one": WELL}, {"two": "why"}) == []


def test_a_scenario_in_which_nothing_was_checked_has_not_passed() -> None:
    assert suite.complaints({"one": Outcome()}, {}) != []
    assert suite.complaints({"one": Outcome()}, {"one": "why"}) == []


def test_results_are_read_by_scenario(tmp_path: Path) -> None:
    checks = [
        {"id": "a", "name": "A", "status": "SUCCESS"},
        {"id": "b", "name": "B", "status": "FAILURE", "errorMessage": "not so"},
        {"id": "b", "name": "B again", "status": "SUCCESS"},
        {"id": "c", "name": "C", "status": "WARNING", "errorMessage": "better not"},
        {"id": "d", "name": "D", "status": "INFO"},
    ]
    whole = tmp_path / "server-dns-rebinding-protection-2026-12-01T00-55-35-932Z"
    whole.mkdir()
    (whole / "checks.json").write_text(json.dumps(checks))
    (tmp_path / "server-ping-2026-12-01T00-55-35-932Z").mkdir()
    found = suite.read(tmp_path)
    assert found["dns-rebinding-protection"] == Outcome(
        ("a", "b"), {"b": "B: not so"}, {"c": "C: better not"}
    )
    assert found["ping"].failed


def test_a_run_without_results_is_no_success(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="no Node here"):
        suite.read(tmp_path / "results", b"no Node here")


async def test_a_token_is_added_and_all_else_stays() -> None:
    async with (
        serving(Upstream()) as port,
        bearer(f"http://127.0.0.1:{port}", "t0ken") as base,
        httpx.AsyncClient(base_url=base, verify=False) as http,
    ):
        more = [(b"Host", b"evil.example"), (b"Mcp-Session-Id", b"mine"), (b"Mcp-Name", NAME)]
        answer = await http.post("/mcp?do=gone", content=b"asked", headers=more)
        seen = answer.json()
        assert (answer.status_code, seen["method"], seen["path"]) == (404, "POST", "/mcp")
        assert (seen["query"], seen["body"]) == ("do=gone", "asked")
        assert seen["headers"]["authorization"] == "Bearer t0ken"
        assert seen["headers"]["host"] == "evil.example"
        assert seen["headers"]["mcp-session-id"] == "mine"
        assert seen["headers"]["mcp-name"] == NAME.decode("latin-1")
        assert answer.headers["x-kept"] == "yes"
        assert answer.headers["mcp-session-id"] == "inner"


async def test_a_stream_passes_event_by_event() -> None:
    upstream = Upstream()
    async with (
        serving(upstream) as port,
        bearer(f"http://127.0.0.1:{port}", "t0ken") as base,
        httpx.AsyncClient(base_url=base, verify=False) as http,
        http.stream("GET", "/mcp?do=sse") as answer,
    ):
        parts = answer.aiter_raw()
        assert await anext(parts) == b": ping\n\n"
        upstream.more.set()
        assert await anext(parts) == b"data: 2\n\n"
        assert answer.headers["content-type"] == "text/event-stream"


async def test_whoever_hangs_up_ends_the_call_behind() -> None:
    upstream = Upstream()
    async with serving(upstream) as port, bearer(f"http://127.0.0.1:{port}", "t0ken") as base:
        async with httpx.AsyncClient(base_url=base, verify=False) as http:
            call = asyncio.create_task(http.get("/mcp?do=hang"))
            await upstream.waiting.wait()
            call.cancel()
        await upstream.left.wait()
