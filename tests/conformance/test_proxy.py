"""The proxy carries all that MCP has, as the protocol's own makers try it: pictures, sounds,
progress, logs, questions in the middle of a call, streams that break off, streams without end.

The scenarios of extensions are left out: they are about a server that has them, and bring nothing
to the proxy that the others do not.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fastmcp.server.event_store import EventStore

from mcp_multiplayer.edge.uvicorn_protocol import Http1Protocol
from mcp_multiplayer.oauth_proxy import create_app
from tests.conformance import suite
from tests.conformance.bearer import bearer
from tests.conformance.everything import everything
from tests.conformance.one_session import OneSession
from tests.conformance.suite import RUNS, STABLE, Expected
from tests.edge.harness import nothing_there, serving, settings_for
from tests.players import rest

NO_ID = "it goes no further without a session id, and the proxy carries none"
RETRY_MS = 10  #: after how long a client may come back for the rest of a stream


def expected(version: str, revision: str) -> Expected:
    """What may fail in a run."""
    if revision >= "2026":
        return {}
    found = {"server-session-lifecycle": NO_ID, "server-sse-multiple-streams": NO_ID}
    if version == STABLE:
        found["server-sse-polling"] = (
            "it calls as a client of 2025-03-26 does, for which no server breaks off a stream"
        )
    return found


@asynccontextmanager
async def running(data: Path, free_port: Callable[[], int]) -> AsyncIterator[str]:
    """Run a server with everything behind the proxy; give the proxy's address."""
    server = everything().http_app(path="/mcp", event_store=EventStore(), retry_interval=RETRY_MS)
    port = free_port()
    async with serving(OneSession(server)) as inner:
        settings = settings_for(data, mcp_port=inner, proxy_port=port)
        proxy = create_app(settings, fetch=nothing_there)
        async with serving(proxy, port=port, http=Http1Protocol):
            yield f"http://127.0.0.1:{port}"


@pytest.mark.servers
@pytest.mark.long
@pytest.mark.alone  # the suite waits half a second for what comes on a stream
@pytest.mark.filterwarnings("ignore:The logging capability is deprecated")
@pytest.mark.filterwarnings("ignore:The sampling capability is deprecated")
@pytest.mark.parametrize(("version", "revision"), RUNS)
async def test_whatever_a_server_sends_comes_through(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    free_port: Callable[[], int],
    version: str,
    revision: str,
) -> None:
    tool = suite.installed(request, version)
    async with (
        running(tmp_path / "data", free_port) as proxy,
        rest(proxy, "conformance") as account,
        bearer(proxy, account.token) as base,
    ):
        outcomes = await tool.server(f"{base}/mcp", revision, tmp_path / "results")
    assert suite.complaints(outcomes, expected(version, revision)) == []
