"""Which addresses are one, and which are this machine's."""

from __future__ import annotations

import pytest

from edge.oauth.redirects import is_known, is_loopback, matches

REGISTERED = "http://127.0.0.1/callback"


@pytest.mark.parametrize("asked", [REGISTERED, "http://127.0.0.1:7/callback"])
def test_a_program_on_this_machine_may_listen_on_any_port(asked: str) -> None:
    assert matches(REGISTERED, asked)


@pytest.mark.parametrize(
    "asked",
    [
        "http://127.0.0.1:7/other",
        "http://localhost:7/callback",
        "http://127.0.0.1:7/call\nback",  # urlsplit drops the line end, a browser may not
        "http://someone@127.0.0.1:7/callback",
        "http://127.0.0.1:x/callback",
        "https://127.0.0.1:7/callback",
    ],
)
def test_but_nothing_else_may_differ(asked: str) -> None:
    assert not matches(REGISTERED, asked)


@pytest.mark.parametrize("uri", ["http://someone@localhost/cb", "http://localhost@evil.example/cb"])
def test_an_address_that_disguises_its_host_is_not_this_machines(uri: str) -> None:
    assert not is_loopback(uri)
    assert not is_known(uri)
