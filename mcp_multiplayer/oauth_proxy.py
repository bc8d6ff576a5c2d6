"""Process 1, :8100: sign-in and the way to the server.

Run it alone (`python oauth_proxy.py`) or let `start_servers.py` do so. It holds the only
door to the internet; what comes in without a token goes nowhere.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from mcp_multiplayer.config import BadSetting, Settings, doubts, load
from mcp_multiplayer.edge import identity, serve
from mcp_multiplayer.edge.auth.authorize import AuthorizationConsent
from mcp_multiplayer.edge.auth.browser_session import BrowserSessions
from mcp_multiplayer.edge.auth.client_documents import ClientDocuments, Fetch
from mcp_multiplayer.edge.auth.clients import Clients, Registration
from mcp_multiplayer.edge.auth.database import Database, open_database
from mcp_multiplayer.edge.auth.device import DeviceConsent
from mcp_multiplayer.edge.auth.endpoints import (
    AUTHORIZATIONS_PER_HOUR,
    DEVICES_PER_HOUR,
    REGISTRATIONS_PER_HOUR,
    Endpoints,
)
from mcp_multiplayer.edge.auth.grants import Grants
from mcp_multiplayer.edge.auth.passcode import Guesses, Passcode
from mcp_multiplayer.edge.auth.server import (
    ASSERTIONS_PER_HOUR,
    ISSUES_PER_HOUR,
    POLL_SECONDS,
    Server,
)
from mcp_multiplayer.edge.jwks import Jwks
from mcp_multiplayer.edge.pages import layout, qr, site
from mcp_multiplayer.edge.pages.website import Website
from mcp_multiplayer.edge.proxy import ask_house
from mcp_multiplayer.edge.proxy.address import Addresses, parse_trusted
from mcp_multiplayer.edge.proxy.app import INVITE_CARDS_PER_MINUTE, Parts, Proxy
from mcp_multiplayer.edge.proxy.authentication import Authentication
from mcp_multiplayer.edge.proxy.forward import Forward
from mcp_multiplayer.edge.proxy.origins import Origins
from mcp_multiplayer.edge.proxy.watchers import Watchers
from mcp_multiplayer.ratelimit import RateLimit
from mcp_multiplayer.service import key_files

log = logging.getLogger("mcp_multiplayer.oauth_proxy")


def create_app(
    settings: Settings,
    *,
    database: Database | None = None,
    now: Callable[[], float] = time.time,
    guesses: Guesses | None = None,
    fetch: Fetch | None = None,
) -> Proxy:
    """Put the proxy together. Nothing runs until it is entered or served. ``fetch`` gets the
    documents of clients, over the network if None."""
    layout.load()
    database = database or open_database(settings)
    senders = Addresses(parse_trusted(settings.trusted_proxies), _key(settings, "network"))
    origins = Origins(settings)
    signer = identity.Signer(_key(settings, "caller"), now=now)
    passcode = _passcode(settings, guesses)
    issuers = settings.issuers
    clients = Clients(database, documents=settings.client_id_metadata_documents, now=now)
    grants = _grants(settings, database, passcode.mark if passcode else "", now)
    authentication = Authentication(grants.bearer, now=now)
    grants.on_revoked = authentication.forget
    endpoints = Endpoints(
        servers=_servers(issuers, clients, grants, passcode, now),
        documents=ClientDocuments(clients, fetch=fetch, now=now)
        if settings.client_id_metadata_documents
        else None,
        registration=Registration(clients, passcode, settings.claude_auto_token),
        consent=AuthorizationConsent(clients, grants, passcode, issuers=issuers, now=now),
        devices=DeviceConsent(clients, grants, passcode, now=now),
        addresses=senders,
        origins=origins,
        registrations=RateLimit(REGISTRATIONS_PER_HOUR, 3600, now=now),
        authorizations=RateLimit(AUTHORIZATIONS_PER_HOUR, 3600, now=now),
        device_starts=RateLimit(DEVICES_PER_HOUR, 3600, now=now),
    )

    arrivals = RateLimit(AUTHORIZATIONS_PER_HOUR, 3600, now=now)
    browsers = BrowserSessions(grants, passcode, senders, origins, arrivals)
    forward = Forward(settings.mcp_host, settings.mcp_port)
    return Proxy(
        Parts(
            settings=settings,
            public=endpoints.routes()
            | Jwks(settings.keys_dir).routes()
            | (browsers.routes() | qr.routes() if settings.web == "on" else {})
            | ask_house.routes(settings, senders, RateLimit(ask_house.PER_MINUTE, 60, now=now))
            | site.routes(settings.openai_apps_challenge),
            authentication=authentication,
            website=Website(settings, forward.ask),
            browsers=browsers if settings.web == "on" else None,
            forward=forward,
            signer=signer,
            addresses=senders,
            origins=origins,
            cards=RateLimit(INVITE_CARDS_PER_MINUTE, 60, now=now),
            watchers=Watchers(settings.max_watchers, settings.max_watchers_per_address),
            sweep=lambda: _sweep(grants, clients),
            close=database.close,
        )
    )


def _sweep(grants: Grants, clients: Clients) -> None:
    log.debug("swept %d rows", grants.sweep() + clients.sweep())


def _servers(
    issuers: tuple[str, ...],
    clients: Clients,
    grants: Grants,
    passcode: Passcode | None,
    now: Callable[[], float],
) -> dict[str, Server]:
    issues = RateLimit(ISSUES_PER_HOUR, 3600, now=now)
    polls = RateLimit(1, POLL_SECONDS, now=now)
    assertions = RateLimit(ASSERTIONS_PER_HOUR, 3600, now=now)
    return {
        issuer: Server(
            issuer,
            issuers=issuers,
            clients=clients,
            grants=grants,
            passcode=passcode,
            issues=issues,
            polls=polls,
            assertions=assertions,
        )
        for issuer in issuers
    }


def _grants(
    settings: Settings, store: Database, admission: str, now: Callable[[], float]
) -> Grants:
    return Grants(
        store,
        issuers=settings.issuers,
        admission=admission,
        access_seconds=settings.access_token_seconds,
        refresh_seconds=settings.refresh_days * 86400,
        now=now,
    )


def _passcode(settings: Settings, guesses: Guesses | None) -> Passcode | None:
    if not settings.access_passcode:
        return None
    return Passcode(settings.access_passcode, _key(settings, "passcode"), guesses=guesses)


def _key(settings: Settings, name: str) -> bytes:
    try:
        return key_files.load(settings.keys_dir, name)
    except OSError as error:
        raise BadSetting(f"DATA_DIR={settings.data_dir}: no usable keys there ({error})") from None


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
    settings = load()
    serve.configure_logging(settings.log_level)
    serve.raise_descriptor_limit()
    for doubt in doubts():
        log.warning("%s", doubt)
    lock = serve.lock(settings, "proxy")
    app = create_app(settings)
    config = serve.web(app, **_tls(settings))
    sockets = serve.listen(settings.proxy_host, settings.proxy_port, "PROXY_PORT")
    config.load()
    if settings.unencrypted:
        log.warning("tokens travel unencrypted: set PUBLIC_URL or USE_SSL for https")
    log.info("serving %s", settings.base_url())
    serve.calm_the_collector()
    with lock:
        serve.Server(config, app.stop).run(sockets=sockets)


def run() -> None:
    """Run the program; a setting that cannot be used ends it with one line and code 2."""
    serve.run("oauth_proxy", main)


if __name__ == "__main__":
    run()
