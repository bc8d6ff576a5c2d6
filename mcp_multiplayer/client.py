"""What the scripts share: settings from .env.scripts, tokens that last, a real MCP client. The
token file holds several accounts by name for each server, readable by its owner only; whatever is
stale in it is renewed before use.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import json
import os
import secrets
import sys
import tempfile
import time
import webbrowser
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
from dotenv import dotenv_values

from mcp_multiplayer import addresses
from mcp_multiplayer.config import BadSetting, read_names

EARLY = 60  #: seconds before its end at which a token counts as stale
BROWSER_SECONDS = 300
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"

#: The checkout, from wherever a script is started.
HOME = Path(__file__).resolve().parents[1]
#: What .env.scripts may set; .env.scripts.example explains it.
NAMES = ("MCP_BASE_URL", "MCP_CLIENT_NAME", "MCP_VERIFY_SSL", "MCP_TOKEN_FILE", "ACCESS_PASSCODE")

#: Asks for the JSON of an answer beside its text.
_JSON_TOO = {"mcp-multiplayer/structured": True}

Json = dict[str, Any]


class Failed(Exception):
    """The script cannot go on; the text says why, in one line."""


@dataclass(frozen=True)
class Settings:
    """Where the scripts go, and as whom. The environment wins over .env.scripts."""

    base_url: str
    client_name: str
    verify_ssl: bool
    token_file: Path
    passcode: str
    host: str = ""  #: what the Host header says, if not what ``base_url`` does

    @classmethod
    def load(cls) -> Settings:
        file = HOME / ".env.scripts"
        try:
            strange = read_names(file, NAMES)
        except BadSetting as error:
            raise Failed(str(error)) from None
        if strange:
            print(f"{file.name}: nothing reads {', '.join(strange)}", file=sys.stderr)
        found = {**dotenv_values(file), **os.environ}

        def value(name: str, default: str = "") -> str:
            return found.get(name) or default

        try:
            base_url = addresses.origin(value("MCP_BASE_URL", "http://127.0.0.1:8100"))
        except ValueError as error:
            raise Failed(f"MCP_BASE_URL: {error}.") from None
        return cls(
            base_url=base_url,
            client_name=value("MCP_CLIENT_NAME", "MCP Script Client"),
            verify_ssl=value("MCP_VERIFY_SSL", "true").lower() not in ("false", "0", "no"),
            token_file=Path(value("MCP_TOKEN_FILE", "mcp_tokens.json")),
            passcode=value("ACCESS_PASSCODE"),
        )


class TokenFile:
    """``{server: {account: {client_id, access_token, …}}}``, mode 0600."""

    def __init__(self, path: Path, server: str) -> None:
        self._path = path
        self._server = server

    def read(self, account: str) -> Json:
        found: Json = self._all().get(self._server, {}).get(account, {})
        return found

    def write(self, account: str, entry: Json) -> None:
        """Replace the file whole, so that a crash leaves the old one; mkstemp makes it 0600."""
        everything = self._all()
        everything.setdefault(self._server, {})[account] = entry
        handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=self._path.name)
        with os.fdopen(handle, "w") as file:
            json.dump(everything, file, indent=1)
        os.replace(name, self._path)

    def _all(self) -> Json:
        try:
            found: Json = json.loads(self._path.read_text())
        except FileNotFoundError:
            return {}
        except ValueError:
            raise Failed(f"{self._path} is not JSON; move it away and sign in again.") from None
        return found


class SignIn:
    """Gives tokens for named accounts, from the file as long as the server takes them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._file = TokenFile(settings.token_file, settings.base_url)
        self._http = httpx.Client(
            base_url=settings.base_url,
            verify=settings.verify_ssl,
            timeout=30,
            headers={"Host": settings.host} if settings.host else {},
        )

    def token(self, account: str, *, by: str = "") -> str:
        """A token the server takes now: the kept one, a renewed one, or one of a new sign-in.

        ``by``: `browser`, the account is the one you choose in a browser on this machine; `device`,
        in a browser on any other (RFC 8628); else it is one of the script's own, by client
        credentials.
        """
        try:
            entry = self._file.read(account)
            if not self._good(entry):
                entry = self._renewed(entry) or self._signed_in(account, entry, by)
                self._file.write(account, entry)
        except httpx.TransportError as error:
            raise Failed(f"{self._settings.base_url} does not answer: {error}") from None
        return str(entry["access_token"])

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def _good(self, entry: Json) -> bool:
        if entry.get("expires_at", 0) < time.time() + EARLY:
            return False
        header = {"Authorization": f"Bearer {entry['access_token']}"}
        return self._http.get("/health_check", headers=header).status_code != 401

    def _renewed(self, entry: Json) -> Json | None:
        """The same account with a fresh token, or None when the server knows it no longer."""
        if refresh := entry.get("refresh_token"):
            form = {"grant_type": "refresh_token", "refresh_token": refresh}
        elif "client_secret" in entry:
            form = {"grant_type": "client_credentials"}
        else:
            return None
        answer = self._token(entry, form)
        if answer.status_code in (400, 401):  # any other refusal says nothing of the account
            return None
        return self._kept(entry, self._checked(answer, "renew the token"))

    def _signed_in(self, account: str, known: Json, by: str) -> Json:
        if not by and "refresh_token" in known:
            raise Failed(
                f"The sign-in of {account} is over; sign in again with --browser or --device."
            )
        if not by:
            client = self._register(account, grant_types=["client_credentials"])
            return self._kept(client, self._issued(client, {"grant_type": "client_credentials"}))
        return self._by_device(account) if by == "device" else self._by_browser(account)

    def _by_device(self, account: str) -> Json:
        """Have a person type a code in a browser elsewhere, and ask until it is done."""
        client = self._register(
            account,
            grant_types=[DEVICE_GRANT, "refresh_token"],
            token_endpoint_auth_method="none",
        )
        form = {"client_id": client["client_id"]}
        told = self._checked(self._http.post("/device_authorization", data=form), "get a code")
        print(
            f"Go to {told['verification_uri']} in any browser and type {told['user_code']}",
            file=sys.stderr,
            flush=True,
        )
        form = {"grant_type": DEVICE_GRANT, "device_code": told["device_code"]}
        interval, ends = told["interval"], time.monotonic() + told["expires_in"]
        while time.monotonic() < ends:
            time.sleep(interval)
            answer = self._token(client, form)
            error = answer.json().get("error") if answer.status_code == 400 else None
            if error not in ("authorization_pending", "slow_down"):
                return self._kept(client, self._checked(answer, "sign in"))
            interval += 5 * (error == "slow_down")
        raise Failed("Nobody typed the code in time.")

    def _by_browser(self, account: str) -> Json:
        with Callback() as callback:
            client = self._register(
                account,
                grant_types=["authorization_code", "refresh_token"],
                redirect_uris=[callback.uri],
                token_endpoint_auth_method="none",
            )
            verifier = secrets.token_urlsafe(48)
            code = self._authorize(client, callback, verifier)
            form = {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": callback.uri,
                "code_verifier": verifier,
            }
            return self._kept(client, self._issued(client, form))

    def _authorize(self, client: Json, callback: Callback, verifier: str) -> str:
        """Send the person's browser to the server and wait for the code (RFC 7636, S256)."""
        digest = hashlib.sha256(verifier.encode()).digest()
        state = secrets.token_urlsafe(16)
        wish = {
            "response_type": "code",
            "client_id": client["client_id"],
            "redirect_uri": callback.uri,
            "state": state,
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        url = f"{self._settings.base_url}/oauth/authorize?{urlencode(wish)}"
        print(f"Opening your browser. If nothing opens, go to:\n{url}", file=sys.stderr)
        webbrowser.open(url)
        returned = callback.wait()
        if returned.get("state") != state:
            raise Failed("The browser came back without the state it was sent with.")
        if "code" not in returned:
            raise Failed(f"The server gave no code: {returned.get('error', 'no reason')}.")
        return returned["code"]

    def _register(self, account: str, **wish: Any) -> Json:
        passcode = self._settings.passcode
        answer = self._http.post(
            "/register",
            json={"client_name": f"{self._settings.client_name} ({account})", **wish},
            headers={"Authorization": f"Bearer {passcode}"} if passcode else {},
        )
        if answer.status_code == 401:
            raise Failed(
                "The server has a passcode: set ACCESS_PASSCODE, or use --browser or --device."
            )
        client: Json = self._checked(answer, "register")
        return client

    def _issued(self, client: Json, form: dict[str, str]) -> Json:
        return self._checked(self._token(client, form), "get a token")

    def _token(self, client: Json, form: dict[str, str]) -> httpx.Response:
        if secret := client.get("client_secret"):
            return self._http.post("/token", data=form, auth=(client["client_id"], secret))
        return self._http.post("/token", data={**form, "client_id": client["client_id"]})

    def _checked(self, answer: httpx.Response, what: str) -> Json:
        if answer.is_error:
            raise Failed(f"Could not {what}: {answer.status_code} {answer.text[:300]}")
        found: Json = answer.json()
        return found

    @staticmethod
    def _kept(client: Json, issued: Json) -> Json:
        names = ("client_id", "client_secret", "access_token", "refresh_token")
        both = {**client, **issued}
        entry = {name: both[name] for name in names if both.get(name)}
        return {**entry, "expires_at": int(time.time()) + int(issued.get("expires_in", 3600))}


class Callback:
    """Where the browser comes back to: a listener on this machine, for one visit."""

    def __enter__(self) -> Callback:
        returned: dict[str, str] = {}

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                if parts.path == "/callback":
                    returned.update({k: v[0] for k, v in parse_qs(parts.query).items()})
                self.send_response(200 if parts.path == "/callback" else 404)
                self.end_headers()
                self.wfile.write(b"Signed in. You may close this page.")

            def log_message(self, *arguments: Any) -> None:
                """Nothing: the address has the code in it."""

        self._returned = returned
        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.uri = f"http://127.0.0.1:{self._server.server_port}/callback"
        return self

    def __exit__(self, *error: object) -> None:
        self._server.server_close()

    def wait(self) -> dict[str, str]:
        deadline = time.monotonic() + BROWSER_SECONDS
        while not self._returned:
            self._server.timeout = deadline - time.monotonic()
            if self._server.timeout <= 0:
                raise Failed(f"Nobody came back from the browser in {BROWSER_SECONDS} s.")
            self._server.handle_request()
        return self._returned


class Agent:
    """A signed-in MCP client. Use as an async context manager."""

    def __init__(self, settings: Settings, token: str) -> None:
        # Importing it takes a second or two, and get_token does without.
        from fastmcp import Client
        from fastmcp.client.transports import StreamableHttpTransport

        transport = StreamableHttpTransport(
            f"{settings.base_url}/mcp", auth=token, verify=settings.verify_ssl
        )
        self._client = Client(transport)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Agent:
        await self._stack.enter_async_context(self._client)
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self._stack.aclose()

    async def call(self, tool: str, **arguments: Any) -> Json:
        """Call a tool and return its facts, with its words under ``text``."""
        result = await self._client.call_tool(tool, arguments, raise_on_error=False, meta=_JSON_TOO)
        text = getattr(result.content[0], "text", "")
        if result.is_error:
            raise Failed(text)
        return {**(result.structured_content or {}), "text": text}


def connect(account: str, *, by: str = "") -> Agent:
    """The client of the account named ``account``, signed in."""
    settings = Settings.load()
    return Agent(settings, SignIn(settings).token(account, by=by))


def parser(description: str | None, account: str = "") -> argparse.ArgumentParser:
    """A parser with what scripts take; with ``account`` also whose account to use."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    if account:
        made.add_argument("--account", default=account, help="name in the token file (%(default)s)")
        for by, where in (("browser", "a browser here"), ("device", "a browser elsewhere")):
            made.add_argument(
                f"--{by}",
                dest="by",
                action="store_const",
                const=by,
                default="",
                help=f"sign in through {where}",
            )
    return made


def check(holds: bool, what: str) -> None:
    """Say that ``what`` holds, or end the script."""
    if not holds:
        raise Failed(f"NOT SO: {what}")
    print(f"ok: {what}")


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a script: exit code 0 when all went well, 1 with one line when not."""
    try:
        asyncio.run(main())
    except Failed as failure:
        sys.exit(str(failure))
    except KeyboardInterrupt:
        sys.exit(130)
    except (OSError, RuntimeError, httpx.TransportError) as error:
        sys.exit(f"The connection failed: {error}")


def part_of_the_dice(given: str | None = None) -> str:
    """What to give as ``entropy``, said before it is sent: a call that failed is repeated with
    the same value, and only who has kept theirs can hold another against the server."""
    value = given or secrets.token_hex(16)
    print(f"entropy: {value}", flush=True)
    return value


async def record_of(agent: Agent, room: str) -> bytes:
    """The record of a room as ``agent`` gets it: the zip behind the link of get_transcript."""
    link = (await agent.call("get_transcript", channel_id=room))["url"]
    async with httpx.AsyncClient(verify=Settings.load().verify_ssl) as http:
        answer = await http.get(link)
    if answer.is_error:
        raise Failed(f"The record did not come: {answer.status_code} {answer.text[:300]}")
    return answer.content


def of_type(messages: list[Json], kind: str) -> list[Json]:
    """The bodies among ``messages`` that are of one type, in order."""
    return [m["body"] for m in messages if m["body"].get("type") == kind]
