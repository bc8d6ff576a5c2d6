"""What is forgotten, and what never: accounts, browsers and registrations."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_multiplayer.edge.auth import clients as clients_module
from mcp_multiplayer.edge.auth import secret
from mcp_multiplayer.edge.auth.accounts import BROWSER_DAYS, UNUSED_HOURS, Accounts
from mcp_multiplayer.edge.auth.clients import UNUSED_DAYS, Clients
from mcp_multiplayer.edge.auth.database import Database, open_database
from mcp_multiplayer.edge.auth.tokens import Pair, Tokens
from tests.edge.harness import BASE, Clock, settings_for


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return open_database(settings_for(tmp_path))


def use(database: Database, clock: Clock, *, sub: str = "", client_id: str = "") -> None:
    """Have a token issued for them."""
    pair = Pair(secret.mint(secret.ACCESS))
    tokens = Tokens(database, issuers=(BASE,), now=clock)
    tokens.issue(sub=sub, client_id=client_id, issuer=BASE, pair=pair)


def register(clients: Clients) -> str:
    client, _ = clients.add(
        name="App", redirect_uris=(), grant_types=("client_credentials",), auth_method="none"
    )
    return client.client_id


def test_an_account_that_ever_got_a_token_is_never_forgotten(database: Database) -> None:
    clock = Clock()
    accounts = Accounts(database, now=clock)
    used, unused = accounts.add(), accounts.add()
    use(database, clock, sub=used.sub)
    clock.at += UNUSED_HOURS * 3600
    assert accounts.sweep() == 0
    clock.at += 1
    assert accounts.sweep() == 1
    assert [row["sub"] for row in database.rows("SELECT sub FROM accounts")] == [used.sub]
    assert unused.sub != used.sub


def test_a_browser_is_forgotten_when_it_has_long_not_come(database: Database) -> None:
    clock = Clock()
    accounts = Accounts(database, now=clock)
    _, cookie = accounts.add_browser("")
    clock.at += BROWSER_DAYS * 86400
    _, fresh = accounts.add_browser("")
    accounts.sweep()
    assert accounts.browser(cookie) is not None
    clock.at += 1
    accounts.sweep()
    assert accounts.browser(cookie) is None
    assert accounts.browser(fresh) is not None


def test_a_client_that_ever_got_a_token_is_never_forgotten(database: Database) -> None:
    clock = Clock()
    clients = Clients(database, now=clock)
    used, unused = register(clients), register(clients)
    use(database, clock, client_id=used)
    clock.at += UNUSED_DAYS * 86400 + 1
    assert clients.sweep() == 1
    assert clients.find(used) is not None
    assert clients.find(unused) is None


def test_of_too_many_unused_registrations_the_oldest_go(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients_module, "MAX_UNUSED", 2)
    clock = Clock()
    clients = Clients(database, now=clock)
    made = []
    for _ in range(4):
        clock.at += 1
        made.append(register(clients))
    use(database, clock, client_id=made[0])
    assert clients.sweep() == 1
    assert [clients.find(one) is not None for one in made] == [True, False, True, True]
