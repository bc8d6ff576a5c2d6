"""What a code or token is worth, asked of the keeper itself."""

from __future__ import annotations

from pathlib import Path

from mcp_multiplayer.edge.auth.database import open_database
from mcp_multiplayer.edge.auth.grants import GRACE_SECONDS, Grants, Pair
from tests.edge.harness import BASE, Clock, settings_for

PAIR = Pair.mint(refresh=True)


def tokens(tmp_path: Path) -> Grants:
    """A keeper with one family of tokens in it."""
    made = Grants(open_database(settings_for(tmp_path)), issuers=(BASE,))
    made.issue(sub="acc_a", client_id="cli_a", issuer=BASE, pair=PAIR)
    return made


def test_a_refresh_token_opens_no_door(tmp_path: Path) -> None:
    it = tokens(tmp_path)
    assert it.bearer(PAIR.access) is not None
    assert it.bearer(PAIR.refresh) is None


def test_an_access_token_refreshes_nothing(tmp_path: Path) -> None:
    it = tokens(tmp_path)
    assert it.refresh(PAIR.access, "cli_a") is None
    assert it.refresh(PAIR.refresh, "cli_a") is not None


def test_in_another_clients_hands_a_refresh_token_is_nothing_and_ends_nothing(
    tmp_path: Path,
) -> None:
    it = tokens(tmp_path)
    assert it.refresh(PAIR.refresh, "cli_b") is None
    assert it.refresh(PAIR.refresh, "cli_a") is not None


def test_who_looks_at_a_replayed_token_ends_nothing_yet(tmp_path: Path) -> None:
    clock = Clock()
    it = Grants(open_database(settings_for(tmp_path)), issuers=(BASE,), now=clock)
    it.issue(sub="acc_a", client_id="cli_a", issuer=BASE, pair=PAIR)
    first = it.refresh(PAIR.refresh, "cli_a")
    assert first is not None and not first.replayed
    second = Pair.mint(refresh=True)
    it.rotate(first, second)
    clock.at += GRACE_SECONDS + 1
    found = it.refresh(PAIR.refresh, "cli_a")
    assert found is not None and found.replayed
    assert it.bearer(second.access) is not None
    it.revoke(found)
    assert it.bearer(second.access) is None
