"""What a code or token is worth, asked of the keeper itself."""

from __future__ import annotations

from pathlib import Path

from mcp_multiplayer.edge.auth import secret
from mcp_multiplayer.edge.auth.database import open_database
from mcp_multiplayer.edge.auth.tokens import Pair, Tokens
from tests.edge.harness import BASE, settings_for

PAIR = Pair(secret.mint(secret.ACCESS), secret.mint(secret.REFRESH))


def tokens(tmp_path: Path) -> Tokens:
    """A keeper with one family of tokens in it."""
    made = Tokens(open_database(settings_for(tmp_path)), issuers=(BASE,))
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
