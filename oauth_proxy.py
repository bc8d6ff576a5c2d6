"""Process 1, :8100: sign-in and the way to the server. Changes when its parts are put together
differently.

Run it alone (`python oauth_proxy.py`) or let `start_servers.py` do so. It holds the only
door to the internet; what comes in without a token goes nowhere.
"""

from __future__ import annotations

import gc
import logging
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

import uvicorn

from edge import identity, keys
from edge.oauth.accounts import Accounts
from edge.oauth.clients import Clients
from edge.oauth.consent import Consent
from edge.oauth.database import Database, open_database
from edge.oauth.door import Door
from edge.oauth.endpoints import Endpoints
from edge.oauth.registration import Registration
from edge.oauth.server import Server
from edge.oauth.throttle import INVITE_CARDS_PER_MINUTE, ISSUES_PER_HOUR, Guesses, Quota
from edge.oauth.tokens import Tokens
from edge.proxy.address import Addresses, parse_trusted
from edge.proxy.app import Parts, Proxy
from edge.proxy.forward import Forward
from edge.proxy.gate import Gate
from edge.proxy.wire import BoundedProtocol
from settings import LOOPBACK, BadSetting, Settings, load

log = logging.getLogger("oauth_proxy")

OURS = ("oauth_proxy", "edge")
KEEP_ALIVE_SECONDS = 75
SHUTDOWN_SECONDS = 5
DESCRIPTORS = 65_536


def create_app(
    settings: Settings,
    *,
    database: Database | None = None,
    now: Callable[[], float] = time.time,
    guesses: Guesses | None = None,
) -> Proxy:
    """Put the proxy together. Nothing runs until it is entered or served."""
    addresses = Addresses(parse_trusted(settings.trusted_proxies))
    signer = identity.Signer(_key(settings, "caller"), now=now)
    door = Door(settings.access_passcode, _key(settings, "passcode"), guesses=guesses)
    store = database or open_database(settings)
    issuers = settings.issuers
    clients = Clients(store, now=now)
    accounts = Accounts(store, now=now)
    tokens = Tokens(store, issuers=issuers, admission=door.mark, now=now)
    gate = Gate(tokens.bearer, now=now)
    tokens.on_revoked = gate.forget
    registrations, authorizations = Endpoints.quotas()
    issues = Quota(ISSUES_PER_HOUR, 3600, now=now)
    endpoints = Endpoints(
        settings=settings,
        servers={
            issuer: Server(
                issuer, issuers=issuers, clients=clients, tokens=tokens, door=door, issues=issues
            )
            for issuer in issuers
        },
        registration=Registration(clients, tokens, door, settings.claude_auto_token),
        consent=Consent(accounts, door, now=now),
        address=lambda request: addresses.of(request.scope),
        registrations=registrations,
        authorizations=authorizations,
    )

    def sweep() -> None:
        gone = tokens.sweep() + accounts.sweep() + clients.sweep()
        log.debug("swept %d rows", gone)

    return Proxy(
        Parts(
            settings=settings,
            public=endpoints.routes(),
            gate=gate,
            forward=Forward(settings.mcp_host, settings.mcp_port),
            signer=signer,
            addresses=addresses,
            cards=Quota(INVITE_CARDS_PER_MINUTE, 60),
            sweep=sweep,
            close=store.close,
        )
    )


def _key(settings: Settings, name: str) -> bytes:
    try:
        return keys.load(settings.keys_dir, name)
    except OSError as error:
        raise BadSetting(f"DATA_DIR={settings.data_dir}: no usable keys there ({error})") from None


def configure_logging(level: str) -> None:
    """Our own loggers at ``level``, every library at WARNING: at DEBUG they print whole requests,
    tokens included."""
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    for name in OURS:
        logging.getLogger(name).setLevel(level)


def listen(settings: Settings) -> list[socket.socket]:
    """Bind PROXY_HOST:PROXY_PORT, or raise `BadSetting` naming who has to give way."""
    hosts = [settings.proxy_host]
    if settings.proxy_host in ("127.0.0.1", "localhost"):
        # `localhost` is ::1 for some programs; where there is no IPv6 it is not missed.
        hosts = ["127.0.0.1", "::1"]
    sockets = []
    for host in hosts:
        try:
            sockets.append(_bind(host, settings.proxy_port))
        except OSError as error:
            if sockets and host == "::1":
                continue
            raise BadSetting(
                f"PROXY_PORT={settings.proxy_port}: cannot listen on {host}"
                f" ({error.strerror}); stop what uses it or choose another port"
            ) from None
    return sockets


def _bind(host: str, port: int) -> socket.socket:
    family, kind, _, _, address = socket.getaddrinfo(
        host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    bound = socket.socket(family, kind)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, address[0] != "::")
        bound.bind(address)
        bound.listen(2048)
    except OSError:
        bound.close()
        raise
    return bound


def raise_descriptor_limit() -> None:
    """A thousand waiting polls are two thousand sockets; common soft limits are 1,024."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _tls(settings: Settings) -> dict[str, Any]:
    if not settings.use_ssl:
        return {}
    for name in ("ssl_cert_path", "ssl_key_path"):
        path = getattr(settings, name)
        try:
            open(path, "rb").close()
        except OSError as error:
            raise BadSetting(
                f"{name.upper()}={path}: {error.strerror}; USE_SSL=true needs both files"
            ) from None
    return {"ssl_certfile": settings.ssl_cert_path, "ssl_keyfile": settings.ssl_key_path}


def main() -> None:
    """Serve until a signal says otherwise."""
    # uvicorn hands its signals on when it has shut down; they then end us without an error.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    try:
        settings = load()
        configure_logging(settings.log_level)
        raise_descriptor_limit()
        config = uvicorn.Config(
            create_app(settings),
            http=BoundedProtocol,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            backlog=2048,
            **_tls(settings),
        )
        sockets = listen(settings)
        config.load()
    except BadSetting as error:
        sys.stderr.write(f"oauth_proxy: {error}\n")
        sys.exit(2)
    if settings.base_url().startswith("http:") and settings.domain not in LOOPBACK:
        log.warning("tokens travel unencrypted: set PUBLIC_URL or USE_SSL for https")
    log.info("serving %s", settings.base_url())
    # What is loaded now stays: the collector need not look at it again, and seldom at the rest.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    uvicorn.Server(config).run(sockets=sockets)


def _leave(number: int, frame: object) -> NoReturn:
    sys.exit(0)


if __name__ == "__main__":
    main()
