"""People who play from outside, each with a real client and its real sign-in.

All of them do as a careful client does: what is not answered is asked again, word for
word, until there is an answer.
"""

from __future__ import annotations

import asyncio
import functools
import html
import json
import re
import threading
import time
import warnings
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, Literal
from unittest.mock import patch
from urllib.parse import parse_qs, urljoin, urlsplit

import fastmcp
import httpx
import httpx2
import mcp.client
from fastmcp.client.auth import OAuth
from key_value.aio.stores.memory import MemoryStore
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthToken,
)
from mcp.shared.exceptions import MCPError
from pydantic import AnyUrl

Json = dict[str, Any]
Mode = Literal["legacy", "2026-07-28"]
PATIENCE = 60.0
#: A request's `_meta`: the JSON of the REST twin beside the text.
ASKS_JSON: Any = {"mcp-multiplayer/structured": True}


class Refused(Exception):
    """The server said no: ``text`` is all it said, ``status`` the HTTP status it came with."""

    def __init__(self, body: Mapping[str, Any], text: str, status: int = 200) -> None:
        super().__init__(text)
        self.code = body["error"]
        self.text = text
        self.status = status


class Away(Exception):
    """No answer, or that the server is away for the moment."""


class Browser:
    """Follows redirects with a cookie jar, and presses what a person would press."""

    def __init__(self, passcode: str = "") -> None:
        self.visits = 0
        self.codes: list[str] = []
        self._passcode = passcode
        self._http = httpx.Client(verify=False)  # as in `to`

    def open(self, url: str) -> bool:
        """What `webbrowser.open` does: come back at once and go on alone."""
        threading.Thread(target=self.visit, args=(url,), daemon=True).start()
        return True

    def visit(self, url: str, until: str = "") -> str:
        """Follow ``url`` to the end, or to an address that starts with ``until``."""
        self.visits += 1
        answer = self._get(url)
        while True:
            if answer.is_redirect:
                url = urljoin(str(answer.url), answer.headers["location"])
                self.codes += parse_qs(urlsplit(url).query).get("code", [])
                if until and url.startswith(until):
                    return url
                answer = self._get(url)
            elif '<form method="post"' in answer.text:
                answer = self._press(answer)
            else:
                assert answer.is_success, answer.text
                return str(answer.url)

    def _get(self, url: str) -> httpx.Response:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self._http.get(url)
            except httpx.ConnectError:  # the client that waits for us is not listening yet
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def _press(self, page: httpx.Response) -> httpx.Response:
        fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text))
        form = {name: html.unescape(value) for name, value in fields.items()}
        form |= {"passcode": self._passcode} if 'name="passcode"' in page.text else {}
        choices = re.findall(r'<button name="choice" value="([^"]*)"', page.text)
        form |= {"choice": choices[0]} if choices else {}
        return self._http.post(urljoin(str(page.url), "/oauth/authorize"), data=form)

    def close(self) -> None:
        self._http.close()


class Player:
    """One account with one client. `attempt` is what the clients differ in."""

    async def attempt(self, operation: str, arguments: Json) -> Json:
        """One call: its result, `Refused`, or `Away`."""
        raise NotImplementedError

    async def call(self, operation: str, **arguments: Any) -> Json:
        """Ask until there is an answer, always in the same words."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return await self.attempt(operation, arguments)
            except Away:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.02)

    async def refusal(self, operation: str, **arguments: Any) -> Refused:
        """The refusal that this call must meet."""
        try:
            answer = await self.call(operation, **arguments)
        except Refused as refused:
            return refused
        raise AssertionError(f"{operation} was not refused: {answer}")

    def secrets(self) -> set[str]:
        """Everything this player was given and nobody else may see."""
        return set()


class Rest(Player):
    """Plain HTTP, with client credentials."""

    READS = ("sync_messages", "list_channels", "get_channel_info", "get_bot_code", "list_bots")

    def __init__(self, http: httpx.AsyncClient, client: Json, token: str) -> None:
        self.http = http
        self.token = token
        self.client = client

    @property
    def header(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def post(self, operation: str, arguments: str) -> httpx.Response:
        """Post ``arguments`` as they stand, be they JSON or not."""
        header = {**self.header, "Content-Type": "application/json"}
        return await self.http.post(
            f"/{operation}", content=arguments.encode("utf-8", "surrogatepass"), headers=header
        )

    async def attempt(self, operation: str, arguments: Json) -> Json:
        asked = {name: value for name, value in arguments.items() if value is not None}
        try:
            if operation in self.READS:
                answer = await self.http.get(f"/{operation}", params=asked, headers=self.header)
            else:
                answer = await self.http.post(f"/{operation}", json=asked, headers=self.header)
        except httpx.TransportError as error:
            raise Away from error
        if answer.status_code == 503:
            raise Away(answer.text)
        body: Json = answer.json()
        if answer.is_error:
            raise Refused(body, answer.text, answer.status_code)
        return body

    def secrets(self) -> set[str]:
        return {self.token, self.client["client_secret"]}


def to(base: str) -> httpx.AsyncClient:
    """A connection of one's own. No https here, and loading the roots takes 50 ms."""
    return httpx.AsyncClient(base_url=base, timeout=60, verify=False)


@asynccontextmanager
async def rest(base: str, name: str, passcode: str = "") -> AsyncIterator[Rest]:
    """An account of its own by client credentials (RFC 6749 §4.4)."""
    async with to(base) as http:
        registered = await http.post(
            "/register",
            json={"client_name": name, "grant_types": ["client_credentials"]},
            headers={"Authorization": f"Bearer {passcode}"} if passcode else {},
        )
        assert registered.status_code == 201, registered.text
        client = registered.json()
        issued = await http.post(
            "/token",
            data={"grant_type": "client_credentials"},
            auth=(client["client_id"], client["client_secret"]),
        )
        assert issued.status_code == 200, issued.text
        yield Rest(http, client, issued.json()["access_token"])


class Wire(Rest):
    """MCP by hand, in either era, with the same login as `Rest`: for what no client would send."""

    mode: Mode = "legacy"
    more: Mapping[str, str] = {}  #: headers to add

    async def post(self, operation: str, arguments: str) -> httpx.Response:
        params = f'"name":"{operation}","arguments":{arguments}'
        return await self.request("tools/call", params, {"Mcp-Name": operation})

    async def request(self, method: str, params: str, more: Mapping[str, str]) -> httpx.Response:
        """One JSON-RPC request; ``params`` are the members of its params, as JSON."""
        header = {
            **self.header,
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": "2025-11-25",
        }
        about = dict(ASKS_JSON)
        if self.mode != "legacy":
            meta = "io.modelcontextprotocol/"
            about |= {
                f"{meta}protocolVersion": self.mode,
                f"{meta}clientCapabilities": {},
                f"{meta}clientInfo": {"name": "wire", "version": "1"},
            }
            header |= {"MCP-Protocol-Version": self.mode, "Mcp-Method": method, **more}
        params += f',"_meta":{json.dumps(about)}'
        message = f'{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{{params}}}}}'
        return await self.http.post(
            "/mcp",
            content=message.encode("utf-8", "surrogatepass"),
            headers={**header, **self.more},
        )

    async def attempt(self, operation: str, arguments: Json) -> Json:
        answer = await self.post(operation, json.dumps(arguments))
        assert answer.status_code == 200, answer.text
        result = answer.json()["result"]
        text = result["content"][0]["text"]
        if result.get("isError"):
            raise Refused(result["structuredContent"], text)
        return {**result["structuredContent"], "text": text}


@asynccontextmanager
async def wire(base: str, name: str, mode: Mode) -> AsyncIterator[Wire]:
    """An account of its own that speaks MCP by hand."""
    async with rest(base, name) as plain:
        made = Wire(plain.http, plain.client, plain.token)
        made.mode = mode
        yield made


FACES = ("rest", "mcp-legacy", "mcp-modern")  #: every way to say the same by hand


def by_hand(http: httpx.AsyncClient, face: str, client: Json, token: str) -> Rest:
    """Somebody who is signed in already, at one of the `FACES`."""
    made = (Rest if face == "rest" else Wire)(http, client, token)
    if isinstance(made, Wire):
        made.mode = "legacy" if face == "mcp-legacy" else "2026-07-28"
    return made


class Tools(Player):
    """MCP tools. ``connect`` opens a connection and gives its ``call_tool``.

    A connection that breaks is opened again, with the tokens there are. It lives in a task
    of its own: the SDK's scopes must be left by the task that entered them.
    """

    def __init__(self, connect: Connect, browser: Browser, oauth: OAuthClientProvider) -> None:
        self._connect = connect
        self._oauth = oauth
        self.browser = browser
        self._asked: asyncio.Queue[tuple[str, Json, asyncio.Future[Any]]] = asyncio.Queue()
        self._connection: asyncio.Task[None] | None = None

    async def attempt(self, operation: str, arguments: Json) -> Json:
        if self._connection is None or self._connection.done():
            self._asked = asyncio.Queue()
            self._connection = asyncio.create_task(self._serve(self._asked))
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asked.put_nowait((operation, arguments, answer))
        await asyncio.wait((answer, self._connection), return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            raise Away(f"the connection broke: {self._connection.exception()!r}")
        result = answer.result()
        text = result.content[0].text
        if result.is_error:
            raise Refused(result.structured_content, text)
        return {**result.structured_content, "text": text}

    async def _serve(self, asked: asyncio.Queue[tuple[str, Json, asyncio.Future[Any]]]) -> None:
        async with AsyncExitStack() as stack:
            call = await self._connect(stack)
            while True:
                operation, arguments, answer = await asked.get()
                try:
                    answer.set_result(await call(operation, arguments))
                except MCPError as error:
                    answer.set_exception(Away(str(error)))

    async def close(self) -> None:
        if self._connection is not None:
            self._connection.cancel()
            with suppress(asyncio.CancelledError):
                await self._connection

    def login(self) -> tuple[OAuthClientInformationFull, OAuthToken]:
        """What the client was registered as, and its tokens."""
        client, tokens = self._oauth.context.client_info, self._oauth.context.current_tokens
        assert client is not None and tokens is not None
        return client, tokens

    def secrets(self) -> set[str]:
        client, tokens = self.login()
        found = {tokens.access_token, tokens.refresh_token, client.client_secret}
        return {secret for secret in found if secret} | set(self.browser.codes)


Call = Callable[[str, Json], Any]
Connect = Callable[[AsyncExitStack], Any]


@asynccontextmanager
async def fastmcp_client(base: str, name: str, mode: Mode) -> AsyncIterator[Tools]:
    """fastmcp.Client with FastMCP's OAuth: a callback server, and a browser it opens."""
    browser = Browser()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tokens in memory: here that is what we want
        oauth = OAuth(f"{base}/mcp", client_name=name, token_storage=MemoryStore())

    async def connect(stack: AsyncExitStack) -> Call:
        client = fastmcp.Client(f"{base}/mcp", auth=oauth, mode=mode)
        with patch("webbrowser.open", browser.open):
            await stack.enter_async_context(client)
            await client.list_tools()  # a modern client asks nothing before it is asked

        async def call(operation: str, arguments: Json) -> Any:
            return await client.call_tool(
                operation, arguments, raise_on_error=False, meta=ASKS_JSON
            )

        return call

    async with _closing(Tools(connect, browser, oauth)) as player:
        yield player


class Memory:
    """The SDK's token storage."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


@asynccontextmanager
async def sdk_client(
    url: str, name: str, mode: Mode = "legacy", passcode: str = ""
) -> AsyncIterator[Tools]:
    """The official SDK's Client with its own OAuthClientProvider."""
    browser = Browser(passcode)
    callback = "http://127.0.0.1:3333/callback"
    landed: list[str] = []

    async def redirect(address: str) -> None:
        landed.append(await asyncio.to_thread(browser.visit, address, callback))

    async def returned() -> AuthorizationCodeResult:
        query = {k: v[0] for k, v in parse_qs(urlsplit(landed[-1]).query).items()}
        return AuthorizationCodeResult(
            code=query["code"], state=query.get("state"), iss=query.get("iss")
        )

    oauth = OAuthClientProvider(
        server_url=url,
        client_metadata=OAuthClientMetadata(client_name=name, redirect_uris=[AnyUrl(callback)]),
        storage=Memory(),
        redirect_handler=redirect,
        callback_handler=returned,
    )

    async def connect(stack: AsyncExitStack) -> Call:
        http = await stack.enter_async_context(httpx2.AsyncClient(auth=oauth, timeout=60))
        transport = streamable_http_client(url, http_client=http)
        client = await stack.enter_async_context(mcp.client.Client(transport, mode=mode))
        return functools.partial(client.call_tool, meta=ASKS_JSON)

    async with _closing(Tools(connect, browser, oauth)) as player:
        yield player


@asynccontextmanager
async def _closing(player: Tools) -> AsyncIterator[Tools]:
    try:
        yield player
    finally:
        await player.close()
        player.browser.close()
