"""The REST operations of the public address, as one account. What is not answered is asked again in
the same words, which all that the house does may be: moves carry a key, a join its dice.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any

import httpx

from mcp_multiplayer import client
from mcp_multiplayer.config import Settings
from mcp_multiplayer.errors import Later, MultiplayerError, RateLimited, Unavailable

Json = dict[str, Any]

READS = frozenset({"sync_messages", "list_channels", "get_channel_info", "get_bot_code"})
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 20.0  #: seconds before a call is repeated
LONGEST_WAIT = 45  #: seconds that the server lets a call wait
FAULTS = 4  #: answers of "our fault" in a row to one call, before it counts as refused
HOUSE = "house"  #: the account, and the name of its token file


class Rest:
    """One account. ``token`` gives a token that the server takes now, and may block."""

    def __init__(self, http: httpx.AsyncClient, token: Callable[[], str]) -> None:
        self._http = http
        self._sign_in = token
        self._token = ""
        self._signing_in = asyncio.Lock()

    async def call(self, operation: str, *, patience: float = math.inf, **arguments: Any) -> Json:
        """The answer, asked for again while the server is away or busy; after ``patience`` seconds
        `Later`. Any other refusal is raised as what it is."""
        began, pause, faults = time.monotonic(), FIRST_PAUSE, 0
        while True:
            try:
                return await self._attempt(operation, arguments)
            except Later as later:
                asked = later.retry_after if isinstance(later, RateLimited) else 0.0
                wait = max(pause, asked)
                if time.monotonic() + wait > began + patience:
                    raise
            except MultiplayerError as error:
                faults += 1
                if error.code != MultiplayerError.code or faults > FAULTS:
                    raise
                wait = pause
            await asyncio.sleep(wait)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def _attempt(self, operation: str, arguments: Json) -> Json:
        """Ask once, or twice if the token was no longer good."""
        token = self._token or await self._renewed("")
        answer = await self._ask(operation, arguments, token)
        if answer.status_code == 401:
            answer = await self._ask(operation, arguments, await self._renewed(token))
        try:
            said: Json = answer.json()
        except ValueError:
            raise Unavailable(f"{operation}: status {answer.status_code} without JSON") from None
        if answer.is_error:
            raise refusal(said)
        return said

    async def _ask(self, operation: str, arguments: Json, token: str) -> httpx.Response:
        asked = {name: value for name, value in arguments.items() if value is not None}
        header = {"Authorization": f"Bearer {token}"}
        try:
            if operation in READS:
                return await self._http.get(f"/{operation}", params=asked, headers=header)
            return await self._http.post(f"/{operation}", json=asked, headers=header)
        except httpx.TransportError as error:
            raise Unavailable(f"the server does not answer ({type(error).__name__})") from None

    async def _renewed(self, stale: str) -> str:
        """A token other than the stale one; several who wait for it sign in once."""
        async with self._signing_in:
            if self._token == stale:
                try:
                    self._token = await asyncio.to_thread(self._sign_in)
                except client.Failed as failure:
                    raise Unavailable(str(failure)) from None
            return self._token


def connect(settings: Settings, account: str = HOUSE) -> Rest:
    """The proxy's own address on this machine, as the account whose token file has that name.

    By that and not by the public name: it may lead around the world, or not back at all from where
    we are. The Host header says the public one.
    """
    reached = client_settings(settings, account)
    http = httpx.AsyncClient(
        base_url=reached.base_url,
        headers={"Host": reached.host},
        verify=reached.verify_ssl,
        timeout=LONGEST_WAIT + 15,
        trust_env=False,
        limits=httpx.Limits(max_connections=None),
    )

    def token() -> str:
        login = client.SignIn(reached)
        try:
            return login.token(account)
        finally:
            login.close()

    return Rest(http, token)


def client_settings(settings: Settings, account: str) -> client.Settings:
    """How the scripts' client reaches the server of these settings, from beside it. Each account
    has a file of its own: the programs that write them know nothing of each other."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.proxy_host, settings.proxy_host)
    scheme = "https" if settings.use_ssl else "http"
    host = f"[{host}]" if ":" in host else host
    return client.Settings(
        base_url=f"{scheme}://{host}:{settings.proxy_port}",
        client_name="HOUSE, the server's own player",
        verify_ssl=False,  # the certificate is for the name that others use
        token_file=settings.data_dir / f"{account}.json",
        passcode=settings.access_passcode,
        host=settings.base_url().partition("://")[2],
    )


def is_known(settings: Settings, account: str = HOUSE) -> bool:
    """Whether the account has ever signed in."""
    reached = client_settings(settings, account)
    return bool(client.TokenFile(reached.token_file, reached.base_url).read(account))


def refusal(said: Json) -> MultiplayerError:
    """The refusal that an answer of the server is."""
    words, hint = str(said.get("message", "refused")), said.get("hint")
    kind = _kinds().get(str(said.get("error")), MultiplayerError)
    if issubclass(kind, Later):
        wait = said.get("retry_after")
        return kind(words, hint=hint, retry_after=wait if isinstance(wait, int | float) else 1.0)
    return kind(words, hint=hint)


def _kinds() -> dict[str, type[MultiplayerError]]:
    """Code -> class."""
    found: dict[str, type[MultiplayerError]] = {}
    left = [MultiplayerError]
    while left:
        kind = left.pop()
        left += kind.__subclasses__()
        if "code" in vars(kind):
            found[kind.code] = kind
    return found
