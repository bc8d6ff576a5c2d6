"""Clients people use sign in through the proxy and call a tool, at both addresses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from fastmcp import Client, FastMCP
from fastmcp.client.auth import OAuth
from key_value.aio.stores.memory import MemoryStore
from mcp.client.auth import OAuthClientProvider
from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata, OAuthToken

from mcp_multiplayer.edge import identity
from mcp_multiplayer.edge.auth.client_documents import Fetch
from mcp_multiplayer.oauth_proxy import create_app
from mcp_multiplayer.service import key_files
from tests.edge.auth.publisher import ADDRESS, publishing
from tests.edge.harness import nothing_there, serving, settings_for
from tests.sample import sample

NAMES = ["localhost", "127.0.0.1"]
PATHS = ["", "/", "/mcp"]


def _server(data: Path) -> FastMCP[Any]:
    from fastmcp.server.dependencies import get_http_request

    mcp: FastMCP[Any] = FastMCP("upstream")

    @mcp.tool
    async def whoami() -> str:
        """Say who the proxy says is calling."""
        statement = get_http_request().headers[identity.HEADER]
        return identity.Checker(key_files.load(data / "keys", "caller")).check(statement).account

    return mcp


@asynccontextmanager
async def running(data: Path, free_port: Any, fetch: Fetch = nothing_there) -> AsyncIterator[int]:
    """Run a FastMCP server behind a proxy, whose internet is ``fetch``; give the proxy's port."""
    async with AsyncExitStack() as stack:
        app = _server(data).http_app(path="/mcp", stateless_http=True, json_response=True)
        inner = await stack.enter_async_context(serving(app))
        port = free_port()
        settings = settings_for(data, mcp_port=inner, proxy_port=port)
        await stack.enter_async_context(serving(create_app(settings, fetch=fetch), port=port))
        yield port


class Headless(OAuth):
    """FastMCP's own sign-in with a browser that only follows redirects."""

    async def redirect_handler(self, authorization_url: str) -> None:
        async with httpx2.AsyncClient() as browser:
            self.back = await browser.get(authorization_url)

    async def callback_handler(self) -> AuthorizationCodeResult:
        return _result(self.back)


def _result(answer: httpx2.Response) -> AuthorizationCodeResult:
    assert answer.status_code == 302, answer.text
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    return AuthorizationCodeResult(
        code=query["code"][0], state=query["state"][0], iss=query["iss"][0]
    )


@pytest.mark.filterwarnings("ignore:Using in-memory token storage")
@pytest.mark.parametrize("mode", ["legacy", "auto"])
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", sample(NAMES, {"localhost"}))
async def test_fastmcp_client_signs_in(
    tmp_path: Path, free_port: Any, name: str, path: str, mode: Any
) -> None:
    async with running(tmp_path, free_port) as port:
        auth = Headless(token_storage=MemoryStore())
        async with Client(f"http://{name}:{port}{path}", auth=auth, mode=mode) as client:
            result = await client.call_tool("whoami")
            assert result.data.startswith("acc_")


class _Storage:
    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: Any = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> Any:
        return self.client

    async def set_client_info(self, client_info: Any) -> None:
        self.client = client_info


METHODS = ["none", "client_secret_post", "client_secret_basic", None]


@pytest.mark.parametrize("method", sample(METHODS, {"none", "client_secret_basic"}))
@pytest.mark.parametrize("path", PATHS)
async def test_the_official_sdk_signs_in(
    tmp_path: Path, free_port: Any, path: str, method: Any
) -> None:
    wish = OAuthClientMetadata(
        client_name="SDK",
        redirect_uris=["http://localhost:3030/callback"],  # type: ignore[list-item]
        token_endpoint_auth_method=method,
    )
    async with running(tmp_path, free_port) as port:
        await _sdk_signs_in(f"http://localhost:{port}{path}", wish)


async def test_the_official_sdk_signs_in_by_its_document(tmp_path: Path, free_port: Any) -> None:
    wish = OAuthClientMetadata(
        redirect_uris=["http://127.0.0.1:3030/callback"],  # type: ignore[list-item]
    )
    async with (
        publishing(tmp_path) as (there, fetch),
        running(tmp_path, free_port, fetch) as port,
    ):
        url = f"http://localhost:{port}/mcp"
        assert await _sdk_signs_in(url, wish, client_metadata_url=ADDRESS) == ADDRESS
        assert there.asked == ["/app/client.json"]


async def _sdk_signs_in(url: str, wish: OAuthClientMetadata, **more: Any) -> str:
    """Sign in and refresh with the SDK's own provider; return the client id that it used."""
    async with httpx2.AsyncClient() as browser:
        seen: list[httpx2.Response] = []

        async def redirect(address: str) -> None:
            seen.append(await browser.get(address))

        async def callback() -> AuthorizationCodeResult:
            return _result(seen[-1])

        storage = _Storage()
        auth = OAuthClientProvider(
            server_url=url,
            client_metadata=wish,
            storage=storage,
            redirect_handler=redirect,
            callback_handler=callback,
            **more,
        )
        async with httpx2.AsyncClient(auth=auth, timeout=20) as http:
            first = await _whoami(url, http)
            assert first.startswith("acc_")
            assert storage.tokens is not None
            auth.context.token_expiry_time = 1.0  # as if an hour had passed: the SDK refreshes
            before = storage.tokens.access_token
            assert await _whoami(url, http) == first
            assert storage.tokens.access_token != before
            assert len(seen) == 1
            return str(storage.client.client_id)


async def _whoami(url: str, http: httpx2.AsyncClient) -> str:
    async with (
        streamable_http_client(url, http_client=http) as streams,
        ClientSession(streams[0], streams[1]) as session,
    ):
        await session.initialize()
        result = await session.call_tool("whoami", {})
        return str(result.content[0].text)  # type: ignore[union-attr]
