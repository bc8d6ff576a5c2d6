"""A request crosses and its answer comes back, over real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from mcp_multiplayer.edge import identity
from mcp_multiplayer.edge.proxy import forward
from mcp_multiplayer.edge.proxy.forward import MAX_BODY
from mcp_multiplayer.oauth_proxy import create_app
from mcp_multiplayer.service import key_files
from tests.edge.harness import Lab, Upstream, lab, serving, settings_for


@dataclass
class Road:
    """Client, proxy and server on three sockets."""

    http: httpx.AsyncClient
    upstream: Upstream
    data: Path


@asynccontextmanager
async def road(data: Path, upstream: Upstream | None = None) -> AsyncIterator[Road]:
    upstream = upstream or Upstream()
    async with lab(data) as it:
        token = (await it.sign_in(await it.register()))["access_token"]
    async with serving(upstream) as inner:
        app = create_app(settings_for(data, mcp_port=inner))
        # The name is ours on any port; the issuer's port is the configured one.
        async with (
            serving(app) as outer,
            httpx.AsyncClient(
                base_url=f"http://localhost:{outer}",
                headers={"Authorization": f"Bearer {token}"},
                timeout=10,
            ) as http,
        ):
            yield Road(http, upstream, data)


async def test_both_endpoints_reach_the_same_place_with_body_and_query(tmp_path: Path) -> None:
    async with road(tmp_path) as it:
        for path, inner in (
            ("/", "/mcp"),
            ("/mcp", "/mcp"),
            ("/mcp/", "/mcp"),
            ("/post_message", "/post_message"),
        ):
            answer = await it.http.post(path, params={"a": "ü &"}, content=b'{"x": 1}')
            seen = answer.json()
            assert (seen["path"], seen["query"], seen["body"]) == (
                inner,
                "a=%C3%BC+%26",
                '{"x": 1}',
            )
        for method in ("GET", "DELETE"):
            assert (await it.http.request(method, "/mcp")).json()["method"] == method


async def test_what_both_eras_need_crosses_and_nothing_private_does(tmp_path: Path) -> None:
    crosses = {
        "accept": "application/json, text/event-stream",
        "content-type": "application/json",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": "=?base64?w7w=?=",
        "mcp-param-unknown": "x",
        "last-event-id": "7",
        "traceparent": "00-1-2-3",
    }
    ends = {
        "cookie": "mpx_browser=secret",
        "mcp-session-id": "old",
        "x-forwarded-for": "1.2.3.4",
        "x-forwarded-host": "evil.example",
        "x-forwarded-proto": "https",
        "forwarded": "for=1.2.3.4",
        "x-real-ip": "1.2.3.4",
        "connection": "x-nominated",
        "x-nominated": "1",
        "te": "trailers",
        "proxy-authorization": "Basic x",
        "referer": "http://localhost/?code=mpc_x",
    }
    async with road(tmp_path) as it:
        answer = await it.http.post("/mcp", headers=crosses | ends, content=b"{}")
        seen = answer.json()["headers"]
        assert {name: seen.get(name) for name in crosses} == crosses
        assert not (ends.keys() | {"authorization"}) & (seen.keys() - {"connection"})
        assert "x-kept" in answer.headers
        for name in ("mcp-session-id", "set-cookie", "mpx-caller", "server"):
            assert name not in answer.headers


async def test_the_server_learns_the_account_from_a_signed_statement(tmp_path: Path) -> None:
    async with road(tmp_path) as it:
        seen = (await it.http.get("/list_bots")).json()["headers"]
        caller = identity.Checker(key_files.load(tmp_path / "keys", "caller")).check(
            seen["mpx-caller"]
        )
        assert caller.account.startswith("acc_")
        assert caller.client_id.startswith("cli_")
        assert caller.base_url == "http://localhost:8100"


async def test_a_body_that_comes_slowly_does_not_outlive_the_statement(tmp_path: Path) -> None:
    upstream = Upstream()
    async with serving(upstream) as port, lab(tmp_path, mcp_port=port) as it:
        token = (await it.sign_in(await it.register()))["access_token"]

        async def slowly() -> AsyncIterator[bytes]:
            yield b"{"
            it.clock.at += identity.LIFETIME + 1
            yield b"}"

        assert (await it.call(token, "/try_bot", content=slowly())).status_code == 200
        checker = identity.Checker(key_files.load(tmp_path / "keys", "caller"), now=it.clock)
        assert checker.check(upstream.seen[-1]["headers"]["mpx-caller"]).account


@pytest.mark.parametrize(("path", "status"), [("/mcp?do=refuse", 400), ("/try_bot?do=gone", 404)])
async def test_refusals_of_the_server_come_back_untouched(
    tmp_path: Path, path: str, status: int
) -> None:
    async with road(tmp_path) as it:
        answer = await it.http.post(path, content=b"body")
        assert answer.status_code == status
        assert answer.json()["body"] == "body"


async def test_sse_passes_unbuffered(tmp_path: Path) -> None:
    async with road(tmp_path) as it, it.http.stream("GET", "/help?do=sse") as answer:
        assert answer.headers["x-accel-buffering"] == "no"
        chunks = answer.aiter_raw()
        assert await anext(chunks) == b": ping\n\n"  # while the server still waits
        it.upstream.more.set()
        assert await anext(chunks) == b"data: 2\n\n"


async def test_leaving_before_the_first_byte_cancels_the_call_to_the_server(tmp_path: Path) -> None:
    async with road(tmp_path) as it:
        call = asyncio.create_task(it.http.post("/mcp?do=hang", content=b"{}"))
        await asyncio.wait_for(it.upstream.waiting.wait(), 5)
        call.cancel()
        await asyncio.wait_for(it.upstream.left.wait(), 5)


async def test_leaving_in_mid_stream_cancels_too(tmp_path: Path) -> None:
    left = asyncio.Event()

    async def endless(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        left.set()

    async with road(tmp_path, endless) as it:  # type: ignore[arg-type]
        async with it.http.stream("GET", "/help") as answer:
            assert await anext(answer.aiter_raw()) == b"x"
        await asyncio.wait_for(left.wait(), 5)


async def test_a_broken_off_answer_is_seen_as_broken(tmp_path: Path) -> None:
    async def half(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        await receive()
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]}
        )
        await send({"type": "http.response.body", "body": b"half", "more_body": True})

    async with road(tmp_path, half) as it:  # type: ignore[arg-type]
        with pytest.raises(httpx.RemoteProtocolError):
            await it.http.get("/help")


@pytest.mark.parametrize("sent", [b"data: {}\n\n", b"data: {}\n\ndata: {"])
async def test_a_broken_off_stream_ends_with_an_error_of_its_request(
    tmp_path: Path, sent: bytes
) -> None:
    """An MCP client waits for an event, and takes the end of the connection for a pause."""

    async def half(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        await receive()
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": sent, "more_body": True})

    async with road(tmp_path, half) as it:  # type: ignore[arg-type]
        answer = await it.http.post("/mcp", json={"jsonrpc": "2.0", "id": "seven", "method": "x"})
        last = [line for line in answer.text.split("\n") if line.startswith("data: ")][-1]
        said = json.loads(last.removeprefix("data: "))
        assert (said["id"], said["error"]["data"]["error"]) == ("seven", "UNAVAILABLE")


async def test_a_long_body_is_refused_whatever_it_claims(tmp_path: Path) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(MAX_BODY // 65536 + 1):
            yield b"x" * 65536

    async with road(tmp_path) as it:
        fits = await it.http.post("/mcp", content=b"x" * MAX_BODY)
        assert len(fits.json()["body"]) == MAX_BODY
        for content in (b"x" * (MAX_BODY + 1), chunks()):
            answer = await it.http.post("/mcp", content=content)
            assert (answer.status_code, answer.json()["error"]) == (413, "TOO_LARGE")
        assert len(it.upstream.seen) == 1


async def test_a_server_that_is_away_is_503_until_it_is_back(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    port = free_port()
    async with lab(tmp_path, mcp_port=port) as it:
        token = (await it.sign_in(await it.register()))["access_token"]
        await _is_away(it, token)
        async with serving(Upstream(), port=port):
            assert (await it.call(token)).status_code == 200
        await _is_away(it, token)
        async with serving(Upstream(), port=port):
            assert (await it.call(token)).status_code == 200


async def _is_away(it: Lab, token: str) -> None:
    rest, mcp = await it.call(token, "/post_message"), await it.call(token)
    assert rest.json()["error"] == "UNAVAILABLE"
    assert mcp.json()["error"]["data"] == rest.json()  # what MCP clients show of such an answer
    for answer in (rest, mcp):
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize("id", ["seven", 7])
async def test_a_server_that_is_away_is_an_error_of_the_request(
    tmp_path: Path, free_port: Callable[[], int], id: str | int
) -> None:
    """Codex drops an error without the request's id, and its model waits for minutes."""
    async with lab(tmp_path, mcp_port=free_port()) as it:
        token = (await it.sign_in(await it.register()))["access_token"]
        answer = await it.http.post(
            "/mcp",
            json={"jsonrpc": "2.0", "id": id, "method": "tools/call"},
            headers={"Authorization": f"Bearer {token}"},
        )
        assert (answer.status_code, answer.json()["id"]) == (503, id)


async def test_when_the_proxy_ends_what_is_under_way_is_answered_and_nothing_else_begins(
    tmp_path: Path,
) -> None:
    go = asyncio.Event()
    arrived = asyncio.Semaphore(0)

    async def polls(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        await receive()
        arrived.release()
        await go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"told"})

    async with serving(polls) as inner, lab(tmp_path, mcp_port=inner) as it:
        token = (await it.sign_in(await it.register()))["access_token"]
        under_way = asyncio.create_task(it.call(token))
        await arrived.acquire()
        ending = asyncio.create_task(it.app.stop())
        await asyncio.sleep(0)
        late = await it.call(token)
        assert (late.status_code, late.headers["connection"]) == (503, "close")
        assert (await it.http.get("/healthz")).status_code == 503
        go.set()
        answer = await under_way
        assert (answer.text, answer.headers["connection"]) == ("told", "close")
        await ending
        assert arrived.locked()  # the late call reached nobody


async def test_whom_the_server_does_not_answer_in_time_is_told_to_repeat_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forward, "STOP_SECONDS", 0.0)
    upstream = Upstream()
    async with serving(upstream) as inner, lab(tmp_path, mcp_port=inner) as it:
        token = (await it.sign_in(await it.register()))["access_token"]
        hanging = asyncio.create_task(it.call(token, "/mcp?do=hang"))
        await asyncio.wait_for(upstream.waiting.wait(), 30)
        await it.app.stop()
        assert (await hanging).status_code == 503
        await asyncio.wait_for(upstream.left.wait(), 30)


async def test_a_server_that_refuses_our_statement_does_not_send_people_to_sign_in(
    tmp_path: Path,
) -> None:
    async with road(tmp_path) as it:
        answer = await it.http.post("/mcp?do=unsigned")
        assert answer.status_code == 503
        assert "www-authenticate" not in answer.headers


async def test_healthz_tells_of_both_processes(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    async with serving(Upstream()) as port, lab(tmp_path, mcp_port=port) as it:
        answer = await it.http.get("/healthz", headers={"Host": "10.0.0.7:8100"})
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    async with lab(tmp_path, mcp_port=free_port()) as it:
        assert (await it.http.get("/healthz")).status_code == 503


async def test_a_thousand_waiting_calls_cost_a_thousand_futures(tmp_path: Path) -> None:
    """And none of them holds the next call."""
    count = 200
    arrived = asyncio.Semaphore(0)
    go = asyncio.Event()

    async def polls(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        await receive()
        if scope["path"] == "/sync_messages":
            arrived.release()
            await go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps("ok").encode()})

    async with road(tmp_path, polls) as it:  # type: ignore[arg-type]
        limits = httpx.Limits(max_connections=None)
        transport = httpx.AsyncHTTPTransport(limits=limits)
        async with httpx.AsyncClient(
            base_url=it.http.base_url, headers=it.http.headers, transport=transport, timeout=20
        ) as http:
            waiting = [asyncio.create_task(http.get("/sync_messages")) for _ in range(count)]
            for _ in range(count):
                await arrived.acquire()
            assert (await http.get("/who")).status_code == 200
            go.set()
            assert {(await call).status_code for call in waiting} == {200}
