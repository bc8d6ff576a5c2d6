"""Process 1, :8100: sign-in and the way to the server. Changes when its parts are put together
differently.

Run it alone (`python oauth_proxy.py`) or let `start_servers.py` do so. It holds the only
door to the internet; what comes in without a token goes nowhere.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from edge import identity, process
from edge.log_keys import LogKeys
from edge.oauth.accounts import Accounts
from edge.oauth.clients import Clients
from edge.oauth.consent import Consent
from edge.oauth.database import Database, open_database
from edge.oauth.door import Door
from edge.oauth.endpoints import Endpoints
from edge.oauth.registration import Registration
from edge.oauth.secret import network
from edge.oauth.server import Server
from edge.oauth.throttle import INVITE_CARDS_PER_MINUTE, ISSUES_PER_HOUR, Guesses, Quota
from edge.oauth.throttle import network as sender
from edge.oauth.tokens import Tokens
from edge.proxy.address import Addresses, parse_trusted
from edge.proxy.app import Parts, Proxy
from edge.proxy.forward import Forward
from edge.proxy.gate import Gate
from edge.web import site
from engine import keys
from settings import BadSetting, Settings, doubts, load

log = logging.getLogger("oauth_proxy")


def create_app(
    settings: Settings,
    *,
    database: Database | None = None,
    now: Callable[[], float] = time.time,
    guesses: Guesses | None = None,
) -> Proxy:
    """Put the proxy together. Nothing runs until it is entered or served."""
    addresses = Addresses(parse_trusted(settings.trusted_proxies))
    network_key = _key(settings, "network")
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
        network=lambda address: network(network_key, sender(address)),
        registrations=registrations,
        authorizations=authorizations,
    )

    def sweep() -> None:
        gone = tokens.sweep() + accounts.sweep() + clients.sweep()
        log.debug("swept %d rows", gone)

    return Proxy(
        Parts(
            settings=settings,
            public=endpoints.routes() | LogKeys(settings.keys_dir).routes() | site.routes(),
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
    process.configure_logging(settings.log_level)
    process.raise_descriptor_limit()
    for doubt in doubts():
        log.warning("%s", doubt)
    lock = process.lock(settings, "proxy")
    app = create_app(settings)
    config = process.web(app, **_tls(settings))
    sockets = process.listen(settings.proxy_host, settings.proxy_port, "PROXY_PORT")
    config.load()
    if settings.unencrypted:
        log.warning("tokens travel unencrypted: set PUBLIC_URL or USE_SSL for https")
    log.info("serving %s", settings.base_url())
    process.calm_the_collector()
    with lock:
        process.Server(config, app.stop).run(sockets=sockets)


if __name__ == "__main__":
    process.run("oauth_proxy", main)
