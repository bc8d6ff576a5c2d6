"""Clients that are known by the address of a document about them: client ID metadata documents.

Such a client has never registered. Its `client_id` is an https address, and what stands there
(name, redirect URIs, keys) is what a registration would have said. Sources: MCP 2025-11-25 and
2026-07-28, "Client ID Metadata Documents"; draft-ietf-oauth-client-id-metadata-document.

On the other side are two strangers: whoever sends a browser here with an address of his choice, and
whoever answers at it. The first may not make us connect to what only we can reach, nor hammer
others through us; the second may neither keep us waiting nor fill the memory
(`tests/attacks/test_client_document_fetch.py`). Hence: the connection is made by the dialer that
guards bots, to the public internet and port 443 only; no redirect is followed; time and size are
bounded; a network may cause so many fetches in an hour and two at once, whether a person arrives or
a known client signs; an address is asked once at a time, and never because of a token request of a
client that is not known yet.

What was read is kept as a row of `Clients` like any other client, so whatever judges clients later
is the same for both kinds and a restart forgets nothing. A document that cannot be reached does
not lock out those who use it: the row we have is used for STALE_SECONDS, and of a few products we
carry a copy. One that was reached and says something else counts at once, and one that is gone or
unfit ends what its client could do.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import re
import ssl
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from anyio.to_thread import run_sync
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import ValidationError

from mcp_multiplayer.edge.auth.clients import (
    ASSERTION_METHOD,
    MAX_BYTES,
    Client,
    ClientMetadata,
    Clients,
    Refused,
    acceptable_redirects,
    grants_of_document,
)
from mcp_multiplayer.ratelimit import RateLimit
from mcp_multiplayer.sandbox.hostcalls.dialer import Dialer
from mcp_multiplayer.sandbox.hostcalls.egress import Egress
from mcp_multiplayer.sandbox.hostcalls.fetcher import fetch
from mcp_multiplayer.sandbox.hostcalls.http_request import Request

log = logging.getLogger(__name__)

FETCH_SECONDS = 5.0  #: of one document, from the look-up to its last byte
FETCHES_PER_HOUR = 60  #: that one network may cause
FETCHES_AT_ONCE = 32
OF_ONE_NETWORK = 2  #: of these
MAX_ADDRESS = 512  #: characters
FRESH_SECONDS = 3600  #: a document that says nothing of caching
MIN_FRESH, MAX_FRESH = 300, 86_400  #: whatever it says
STALE_SECONDS = 7 * 86_400  #: one that cannot be reached any more
RETRY_SECONDS = 60  #: before one that could not be read, or that lacks a key, is asked for again
MAX_TRIED = 1000  #: addresses remembered for that
MIN_RSA_BITS = 2048  #: RFC 7518 §3.3
MAX_KEYS = 20

#: A host, the port of https and no other, and a path that leads somewhere; no user, fragment or
#: query (the draft forbids the first two and advises against the third).
_ADDRESS = re.compile(
    r"https://([a-z0-9-]+\.)+[a-z0-9-]+(:443)?(/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)+/?"
)
_DOTS = re.compile(r"/(\.|%2e){1,2}(/|$)", re.IGNORECASE)
_MAX_AGE = re.compile(r"max-age=\"?([0-9]{1,9})")
_UNCACHED = re.compile(r"no-store|no-cache|private")

#: Products whose document cannot be had from everywhere (their hosts refuse programs at times), as
#: their documents stood in November 2026. A code goes to the product itself or to this very machine
#: with each of these, so that carrying them opens nothing.
CARRIED: dict[str, tuple[str, tuple[str, ...]]] = {
    "https://claude.ai/oauth/mcp-oauth-client-metadata": (
        "Claude",
        ("https://claude.ai/api/mcp/auth_callback", "https://claude.com/api/mcp/auth_callback"),
    ),
    "https://claude.ai/oauth/claude-code-client-metadata": (
        "Claude Code",
        ("http://localhost/callback", "http://127.0.0.1/callback"),
    ),
    "https://chatgpt.com/oauth/codex/client.json": (
        "Codex",
        ("http://localhost/callback", "http://127.0.0.1/callback"),
    ),
    "https://cursor.com/oauth/mcp-client.json": (
        "Cursor",
        (
            "http://localhost:8787/callback",
            "https://www.cursor.com/agents/mcp/oauth/callback",
            "cursor://anysphere.cursor-mcp/oauth/callback",
        ),
    ),
}


class NoDocument(Exception):
    """The client cannot be taken from its document; says why, for the person who was sent here.
    ``wait``: seconds after which another try is worth it, 0 when something has to change first;
    ``status``: of an answer that says so."""

    def __init__(self, reason: str, *, wait: float = 0, status: int = 0) -> None:
        super().__init__(reason)
        self.wait = wait
        self.status = status or (503 if wait else 400)


class Unreachable(Exception):
    """Nobody answered, or not with a document: a cause that may pass. Says which, in words that
    tell a stranger nothing of what is inside. ``asked``: somebody was."""

    def __init__(self, reason: str, *, asked: bool = True) -> None:
        super().__init__(reason)
        self.asked = asked


@dataclass(frozen=True)
class Page:
    """What stood at an address, and for how many seconds it may be kept."""

    body: bytes
    fresh: int


#: Gives what stands at an https address, or raises `Unreachable`, or `NoDocument` where the
#: answer is that there is none.
Fetch = Callable[[str], Awaitable[Page]]


class ClientDocument(ClientMetadata):
    """What we read of a document. A shared secret could not stay one in it."""

    client_id: str
    client_name: str
    client_secret: None = None
    client_secret_expires_at: None = None
    jwks_uri: str | None = None
    jwks: dict[str, Any] | None = None


class ClientDocuments:
    """Keeps the rows of such clients current. ``fetch`` is a test's own; None means the guarded
    way over the network."""

    def __init__(
        self,
        clients: Clients,
        *,
        fetch: Fetch | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._clients = clients
        self._fetch = fetch or GuardedFetch()
        self._now = now
        self._causes = RateLimit(FETCHES_PER_HOUR, 3600, now=now)
        self._fetching: dict[str, asyncio.Task[None]] = {}
        self._causing: Counter[str] = Counter()  # fetches under way, by network
        self._tried: dict[str, tuple[float, str]] = {}  # until when not again, and why

    async def learn(self, client_id: str, sender: str) -> None:
        """Have `Clients.find` know the client as its document says, for a person of the network
        ``sender`` who has just arrived with it; `NoDocument` when that cannot be."""
        if not _is_fit(client_id):
            raise NoDocument(
                "The client_id is no address of a metadata document: it has to be https, with a"
                " host name and a path, without a port, a user, a query or a fragment."
            )
        kept = await run_sync(self._clients.find, client_id)
        if kept is None or kept.fresh_until <= self._now():
            until, reason = self._tried.get(client_id, (0.0, ""))
            if until > self._now():
                raise NoDocument(reason, wait=until - self._now())
            await self._once(client_id, kept, sender)

    async def renew_keys(self, client_id: str, key_id: str, sender: str) -> None:
        """Have `Clients.find` know the keys of a client that signs as its document has them now,
        for a request from the network ``sender`` that is signed by ``key_id``, as it says; raise
        `NoDocument` when nobody can tell. A client that is not known causes nothing."""
        kept = await run_sync(self._clients.find, client_id)
        if kept is None or not kept.keys:
            return
        fresh = kept.fresh_until > self._now()
        until, _ = self._tried.get(client_id, (0.0, ""))
        rests = until > self._now() or self._now() - kept.read_at < RETRY_SECONDS
        if not fresh or (key_id not in kept.key_ids and not rests):
            await self._once(client_id, kept, sender)

    async def _once(self, client_id: str, kept: Client | None, sender: str) -> None:
        """Fetch it, or wait for whoever is at it already; whoever leaves stops nobody."""
        task = self._fetching.get(client_id)
        if task is None:
            wait = self._causes.take(sender)
            if wait > 0 and self._is_usable(kept):
                return
            if wait > 0:
                told = "Your network has had too many apps looked up."
                raise NoDocument(told, wait=wait, status=429)
            task = asyncio.create_task(self._renew(client_id, kept, sender))
            self._fetching[client_id] = task
            task.add_done_callback(lambda done: self._done(client_id, done))
        await asyncio.shield(task)

    def _done(self, client_id: str, task: asyncio.Task[None]) -> None:
        del self._fetching[client_id]
        # Asked for here, too: whoever waited may have left, and an error nobody asks for is logged.
        _ = task.cancelled() or task.exception()

    async def _renew(self, client_id: str, kept: Client | None, sender: str) -> None:
        try:
            client, fresh = await self._read(client_id, sender)
        except Unreachable as error:
            if error.asked:
                self._rest(client_id, _unread(client_id, str(error)))
            client, fresh = self._instead(client_id, kept, str(error)), RETRY_SECONDS
        except NoDocument as error:
            self._rest(client_id, str(error))
            if kept:  # else what it said before would come back as soon as it cannot be reached
                await run_sync(lambda: self._clients.keep(kept.withdrawn(), fresh_until=0))
            raise
        now = self._now()
        if client is not kept:
            client = replace(client, read_at=now)
        await run_sync(lambda: self._clients.keep(client, fresh_until=now + fresh))

    def _instead(self, client_id: str, kept: Client | None, reason: str) -> Client:
        """Return what stands in for a document that cannot be reached."""
        if kept and self._is_usable(kept):
            log.warning("%s cannot be reached (%s); its last document is used", client_id, reason)
            return kept
        if client_id in CARRIED and not (kept and not kept.grant_types):
            log.warning("%s cannot be reached (%s); the copy carried is used", client_id, reason)
            name, uris = CARRIED[client_id]
            return Client.of_document(client_id, name=name, redirect_uris=uris)
        raise NoDocument(_unread(client_id, reason), wait=RETRY_SECONDS)

    def _is_usable(self, kept: Client | None) -> bool:
        """Whether what was read last may be used without asking again."""
        return bool(kept and kept.grant_types and self._now() - kept.read_at < STALE_SECONDS)

    def _rest(self, client_id: str, reason: str) -> None:
        """Ask an address that did not work not again at once."""
        if len(self._tried) >= MAX_TRIED:
            self._tried.clear()
        self._tried[client_id] = (self._now() + RETRY_SECONDS, reason)

    async def _read(self, client_id: str, sender: str) -> tuple[Client, int]:
        full = self._causing.total() >= FETCHES_AT_ONCE
        if full or self._causing[sender] >= OF_ONE_NETWORK:
            raise Unreachable("too many others are being fetched", asked=False)
        self._causing[sender] += 1
        try:
            page = await self._fetch(client_id)
            wish = _document(client_id, page.body)
            keys = ""
            if (wish.token_endpoint_auth_method or "none") == ASSERTION_METHOD:
                keys = await self._keys(client_id, wish)
        finally:
            self._causing[sender] -= 1
            if not self._causing[sender]:
                del self._causing[sender]
        return _client(client_id, wish, keys), page.fresh

    async def _keys(self, client_id: str, wish: ClientDocument) -> str:
        if wish.jwks is not None:
            return _keys(client_id, wish.jwks)
        if not wish.jwks_uri or not _is_fit(wish.jwks_uri):
            raise _unfit(client_id, f"{ASSERTION_METHOD} needs jwks, or jwks_uri as https address")
        page = await self._fetch(wish.jwks_uri)
        try:
            return _keys(client_id, json.loads(page.body))
        except (ValueError, RecursionError):
            raise _unfit(client_id, "its jwks_uri leads to no JSON") from None


class GuardedFetch:
    """Fetches over the network what a stranger named, as bots fetch: judged by address."""

    def __init__(self, dialer: Dialer | None = None, tls: ssl.SSLContext | None = None) -> None:
        self._dialer = dialer or Dialer(Egress(everywhere=True, ports=frozenset({443})))
        self._tls = tls or ssl.create_default_context()

    async def __call__(self, address: str) -> Page:
        """Return what stands at ``address``; see `Fetch`."""
        parts = urlsplit(address)
        headers = (("Accept", "application/json"), ("User-Agent", "mcp-multiplayer"))
        asked = Request(
            scheme="https",
            host=parts.hostname or "",
            port=parts.port or 443,
            method="GET",
            target=parts.path,
            headers=headers,
            body=b"",
        )
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                place = await self._dialer.locate(asked.host, asked.port)
                sock = await self._dialer.connect(place, FETCH_SECONDS)
                answer = await fetch(sock, asked.at(place.name), self._tls, MAX_BYTES)
        except TimeoutError:
            raise Unreachable(f"no whole answer within {FETCH_SECONDS:.0f} s") from None
        except OSError as error:  # `dialer.Refused` among them: which it was, is not for strangers
            log.info("%s was not fetched: %s", address, error)
            raise Unreachable("its server cannot be reached") from None
        if answer.status in (404, 410):
            raise NoDocument(f"There is no document about the app at {address}.")
        if answer.status != 200:
            raise Unreachable(f"its server answers {answer.status}")
        cached = ",".join(v for n, v in answer.headers if n.lower() == "cache-control").lower()
        return Page(answer.body, fresh_for(cached))


def fresh_for(cache_control: str) -> int:
    """Return for how many seconds an answer with this Cache-Control, in lower case, may be kept."""
    if _UNCACHED.search(cache_control):
        return MIN_FRESH
    said = _MAX_AGE.search(cache_control)
    return min(max(int(said[1]), MIN_FRESH), MAX_FRESH) if said else FRESH_SECONDS


def _is_fit(address: str) -> bool:
    return (
        len(address) <= MAX_ADDRESS
        and _ADDRESS.fullmatch(address) is not None
        and _DOTS.search(address) is None
    )


def _unread(client_id: str, reason: str) -> str:
    return (
        f"The app's document at {client_id} cannot be read: {reason}."
        " Start again from your app in a minute; if it stays so, tell whoever makes it."
    )


def _unfit(client_id: str, why: str) -> NoDocument:
    return NoDocument(f"The app's document at {client_id} does not fit: {why}.")


def _document(client_id: str, body: bytes) -> ClientDocument:
    try:
        wish = ClientDocument.model_validate_json(body)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        where = str(fault["loc"][0]) if fault["loc"] else "it"
        raise _unfit(client_id, f"{where} is missing or of the wrong kind") from None
    # Byte by byte: else one document could speak for another address.
    if wish.client_id != client_id:
        raise _unfit(client_id, "its client_id is another address")
    return wish


def _client(client_id: str, wish: ClientDocument, keys: str) -> Client:
    method = wish.token_endpoint_auth_method or "none"
    if method not in ("none", ASSERTION_METHOD):
        raise _unfit(client_id, "token_endpoint_auth_method has to be none or private_key_jwt")
    try:
        uris = acceptable_redirects(wish)
        grants = grants_of_document(wish, uris)
    except Refused as error:
        raise _unfit(client_id, str(error)) from None
    return Client.of_document(
        client_id,
        name=wish.client_name,
        redirect_uris=uris,
        grant_types=grants,
        auth_method=method,
        keys=keys,
    )


def _keys(client_id: str, given: Any) -> str:
    """Return a key set as JSON, every key of which is public: what everybody can read proves
    nothing, and would let anybody sign."""
    try:
        weak = [key for key in given["keys"] if key["kty"] == "RSA" and _bits(key) < MIN_RSA_BITS]
        keys = [] if weak else KeySet.import_key_set(given).keys
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        raise _unfit(client_id, "its keys are no JSON Web Key Set (RFC 7517)") from None
    if weak or any(key.key_type == "oct" or key.is_private for key in keys):
        raise _unfit(client_id, "it has keys that are secret, or RSA of less than 2048 bits")
    if not 0 < len(keys) <= MAX_KEYS:
        raise _unfit(client_id, f"it has to have 1 to {MAX_KEYS} keys")
    return json.dumps({"keys": [key.as_dict(private=False) for key in keys]})


def _bits(key: Mapping[str, Any]) -> int:
    """The size of an RSA key (RFC 7518 §6.3.1.1), before a library is asked about it, which warns
    of small ones."""
    return int.from_bytes(base64.urlsafe_b64decode(key["n"] + "===")).bit_length()
