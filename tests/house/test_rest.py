"""What the house does when the server does not answer, is busy, or knows its token no longer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from mcp_multiplayer.client import Failed
from mcp_multiplayer.config import Settings
from mcp_multiplayer.errors import MultiplayerError, NotMember, RateLimited, Unavailable
from mcp_multiplayer.house import rest
from mcp_multiplayer.house.rest import FAULTS, Rest, client_settings, refusal

Answer = httpx.Response | Exception


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []

    async def sleep(seconds: float, sleep: Callable[..., object] = asyncio.sleep) -> None:
        found.append(seconds)

    monkeypatch.setattr("asyncio.sleep", sleep)
    return found


def said(status: int, code: str = "", **more: object) -> httpx.Response:
    return httpx.Response(status, json={"error": code, "message": "no", **more})


class Server:
    """Answers in turn what it was given, then well."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.tokens = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if self.answers else httpx.Response(200, json={"ok": True})
        if isinstance(answer, Exception):
            raise answer
        return answer

    def token(self) -> str:
        self.tokens += 1
        return f"t{self.tokens}"

    def rest(self) -> Rest:
        http = httpx.AsyncClient(base_url="http://x", transport=httpx.MockTransport(self))
        return Rest(http, self.token)


async def test_reads_are_asked_and_the_rest_is_posted_without_what_is_none() -> None:
    server = Server()
    account = server.rest()
    await account.call("sync_messages", channel_id="chn_x", cursor=None, limit=5)
    await account.call("post_message", channel_id="chn_x", to=None, body="a")
    await account.close()
    read, post = server.requests
    assert (read.method, str(read.url)) == (
        "GET",
        "http://x/sync_messages?channel_id=chn_x&limit=5",
    )
    assert (post.method, post.content) == ("POST", b'{"channel_id":"chn_x","body":"a"}')
    assert server.tokens == 1 and read.headers["authorization"] == "Bearer t1"


async def test_what_is_not_answered_is_asked_again_in_the_same_words(slept: list[float]) -> None:
    server = Server(
        httpx.ConnectError("away"),
        said(503, "UNAVAILABLE", retry_after=1),
        httpx.ReadTimeout("slow"),
        httpx.Response(502, text="<html>"),
        said(500, "INTERNAL_ERROR"),
        said(429, "RATE_LIMITED", retry_after=9),
    )
    assert await server.rest().call("post_message", body="a") == {"ok": True}
    assert len({request.content for request in server.requests}) == 1
    assert slept == sorted(slept) and slept[0] < 1 and max(slept) == 9


async def test_patience_ends_and_faults_of_the_server_are_not_asked_for_ever(
    slept: list[float],
) -> None:
    with pytest.raises(Unavailable):
        await Server(*[httpx.ConnectError("away")] * 9).rest().call("list_channels", patience=0.1)
    assert not slept
    server = Server(*[said(500, "INTERNAL_ERROR") for _ in range(9)])
    with pytest.raises(MultiplayerError):
        await server.rest().call("list_channels")
    assert len(server.requests) == FAULTS + 1


async def test_a_refusal_is_raised_as_what_it_is(slept: list[float]) -> None:
    server = Server(said(403, "NOT_MEMBER", hint="go"))
    with pytest.raises(NotMember) as refused:
        await server.rest().call("sync_messages")
    assert refused.value.hint == "go" and not slept
    later = refusal({"error": "RATE_LIMITED", "message": "m", "retry_after": 3})
    assert isinstance(later, RateLimited) and later.wait == 3
    assert type(refusal({"error": "SOMETHING_NEW"})) is MultiplayerError


async def test_a_token_that_is_no_longer_good_is_renewed_once_for_all() -> None:
    server = Server(*[said(401, "UNAUTHORIZED") for _ in range(3)])
    account = server.rest()
    await asyncio.gather(*(account.call("list_channels") for _ in range(3)))
    assert server.tokens == 2
    await account.close()


async def test_a_sign_in_that_fails_is_tried_again(slept: list[float]) -> None:
    server = Server()
    account = server.rest()
    failures = [Failed("no"), Failed("no")]

    def token() -> str:
        if failures:
            raise failures.pop()
        return "t"

    account._sign_in = token
    assert await account.call("list_channels") == {"ok": True}
    assert len(slept) == 2


@pytest.mark.parametrize(
    ("environment", "base", "host"),
    [
        ({}, "http://127.0.0.1:8100", "localhost:8100"),
        ({"proxy_host": "0.0.0.0"}, "http://127.0.0.1:8100", "localhost:8100"),
        ({"proxy_host": "::1"}, "http://[::1]:8100", "localhost:8100"),
        ({"use_ssl": True, "proxy_port": 443}, "https://127.0.0.1:443", "localhost"),
        ({"public_url": "https://mp.example"}, "http://127.0.0.1:8100", "mp.example"),
    ],
)
def test_it_goes_to_the_proxy_beside_it_under_the_name_that_others_use(
    environment: dict[str, object], base: str, host: str, tmp_path: Path
) -> None:
    settings = Settings.model_validate(
        {"data_dir": tmp_path, "access_passcode": "p", **environment}
    )
    reached = client_settings(settings, "house")
    assert (reached.base_url, reached.host, reached.passcode) == (base, host, "p")
    assert reached.token_file == tmp_path / "house.json"
    assert not rest.is_known(settings)
