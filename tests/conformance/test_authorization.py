"""The proxy passes what the protocol's own makers check of an authorization server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from mcp_multiplayer.demo.pair import Pair
from tests.conformance import suite
from tests.players import Browser, Json, to

pytestmark = pytest.mark.servers

PUBLIC = {"token_endpoint_auth_method": "none"}
EXPECTED = {
    "authorization-code-grant": (
        "the suite never sends its secret where the metadata lists `none` beside the methods with"
        " one, and the proxy rightly gives a client that has a secret no token without it"
    ),
}
SCENARIOS = {"authorization-server-metadata-endpoint", "authorization-code-grant"}
METHODS = ["client_secret_basic", "client_secret_post"]


async def registered(base: str, callback: str, wish: Mapping[str, str]) -> Json:
    body = {"client_name": "conformance", "redirect_uris": [callback], **wish}
    async with to(base) as http:
        answer = await http.post("/register", json=body)
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


async def signs_in(process: asyncio.subprocess.Process, browser: Browser) -> str:
    """Do as the suite asks: go to the address that it prints. Return all that it said."""
    assert process.stdout is not None
    said = ""
    while line := (await process.stdout.readline()).decode():
        said += line
        if line.startswith("http"):
            await asyncio.to_thread(browser.visit, line.strip())
    return said


class Trial:
    """One run of the suite against the proxy of ``pair``, as a client of ours."""

    def __init__(self, pair: Pair, tool: suite.Suite, port: int, results: Path) -> None:
        self._pair = pair
        self._tool = tool
        self._port = port
        self._results = results

    async def __call__(self, wish: Mapping[str, str], *more: str) -> suite.Outcomes:
        """What the suite finds as a client that registered with ``wish``."""
        callback = f"http://127.0.0.1:{self._port}/callback"
        client = await registered(self._pair.base, callback, wish)
        command = ["authorization", "--url", self._pair.base, "--client-id", client["client_id"]]
        if "client_secret" in client:
            command += ["--client-secret", client["client_secret"]]
        command += ["-p", str(self._port), "-o", str(self._results), *more]
        browser = Browser()
        try:
            async with self._tool.running(*command) as process:
                said = await signs_in(process, browser)
        finally:
            browser.close()
        return suite.read(self._results, said.encode())


@pytest.fixture
def trial(
    pair: Pair, request: pytest.FixtureRequest, free_port: Callable[[], int], tmp_path: Path
) -> Trial:
    tool = suite.installed(request, suite.PRERELEASE)
    return Trial(pair, tool, free_port(), tmp_path / "results")


async def test_the_proxy_is_an_authorization_server_as_the_makers_expect(trial: Trial) -> None:
    outcomes = await trial(PUBLIC)
    assert outcomes.keys() == SCENARIOS
    assert suite.complaints(outcomes, {}) == []
    assert not any(one.warned for one in outcomes.values())


@pytest.mark.long
@pytest.mark.parametrize("path", ["", "/mcp"])
async def test_a_token_for_the_server_by_its_address_is_given(
    pair: Pair, trial: Trial, path: str
) -> None:
    outcomes = await trial(PUBLIC, "--resource", pair.base + path)
    assert outcomes.keys() == SCENARIOS
    assert suite.complaints(outcomes, {}) == []


@pytest.mark.long
@pytest.mark.parametrize("method", METHODS)
async def test_a_client_with_a_secret_gets_nothing_without_it(trial: Trial, method: str) -> None:
    outcomes = await trial({"token_endpoint_auth_method": method})
    assert outcomes.keys() == SCENARIOS
    assert suite.complaints(outcomes, EXPECTED) == []
