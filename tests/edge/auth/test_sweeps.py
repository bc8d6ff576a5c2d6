"""What is forgotten, and what never: accounts, browsers and registrations."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_multiplayer.edge.auth import clients as clients_module
from mcp_multiplayer.edge.auth.clients import UNUSED_DAYS, Clients
from mcp_multiplayer.edge.auth.database import Database, open_database
from mcp_multiplayer.edge.auth.grants import (
    BROWSER_DAYS,
    UNUSED_HOURS,
    Approval,
    AuthorizationRequest,
    Grants,
    Pair,
)
from tests.edge.harness import BASE, LOOPBACK_URI, Clock, settings_for


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return open_database(settings_for(tmp_path))


def use(database: Database, clock: Clock, *, sub: str = "", client_id: str = "") -> None:
    """Have a token issued for them."""
    pair = Pair.mint(refresh=False)
    grants = Grants(database, issuers=(BASE,), now=clock)
    grants.issue(sub=sub, client_id=client_id, issuer=BASE, pair=pair)


def register(clients: Clients) -> str:
    client, _ = clients.add(
        name="App", redirect_uris=(), grant_types=("client_credentials",), auth_method="none"
    )
    return client.client_id


def approve(grants: Grants, clients: Clients) -> Approval:
    """A new account in a new browser, that says yes to a new client."""
    client = clients.find(register(clients))
    assert client is not None
    return grants.approve(AuthorizationRequest(BASE, client, LOOPBACK_URI, "", "", "c"))


def subs(database: Database) -> list[str]:
    return [row["sub"] for row in database.rows("SELECT sub FROM accounts")]


def test_of_a_sign_in_that_was_given_up_nothing_is_left_after_a_day(database: Database) -> None:
    clock = Clock()
    grants, clients = Grants(database, issuers=(BASE,), now=clock), Clients(database, now=clock)
    approve(grants, clients)
    clock.at += UNUSED_HOURS * 3600 + 1
    grants.sweep()
    for table in ("accounts", "browsers", "holdings", "approvals", "grants", "codes"):
        assert database.rows(f"SELECT * FROM {table}") == [], table


def test_a_browser_in_which_the_passcode_was_typed_is_known_without_an_account(
    database: Database,
) -> None:
    clock = Clock()
    grants = Grants(database, issuers=(BASE,), admission="mark", now=clock)
    cookie = grants.admit(None)
    clock.at += UNUSED_HOURS * 3600 + 1
    grants.sweep()
    assert grants.browser(cookie) is not None


def test_an_account_that_ever_got_a_token_is_never_forgotten(database: Database) -> None:
    clock = Clock()
    grants, clients = Grants(database, issuers=(BASE,), now=clock), Clients(database, now=clock)
    used, unused = (approve(grants, clients).account.sub for _ in range(2))
    use(database, clock, sub=used)
    clock.at += UNUSED_HOURS * 3600
    grants.sweep()
    assert set(subs(database)) == {used, unused}
    clock.at += 1
    grants.sweep()
    assert subs(database) == [used]


def test_a_browser_is_forgotten_when_it_has_long_not_come(database: Database) -> None:
    clock = Clock()
    grants, clients = Grants(database, issuers=(BASE,), now=clock), Clients(database, now=clock)
    old = approve(grants, clients)
    use(database, clock, sub=old.account.sub)
    clock.at += BROWSER_DAYS * 86400
    young = approve(grants, clients)
    cookie, fresh = old.cookie, young.cookie
    grants.sweep()
    assert grants.browser(cookie) is not None
    clock.at += 1
    grants.sweep()
    assert grants.browser(cookie) is None
    assert grants.browser(fresh) is not None


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


def test_a_player_made_in_the_browser_is_kept_once_it_has_done_something(
    database: Database,
) -> None:
    clock = Clock()
    grants = Grants(database, issuers=(BASE,), now=clock)
    idle, _ = grants.play_here(None, None, "these pages")
    busy, _ = grants.play_here(None, None, "these pages")
    grants.acts(busy)
    clock.at += UNUSED_HOURS * 3600 + 1
    grants.sweep()
    assert subs(database) == [busy.sub] and idle.sub != busy.sub
