"""A client writes its own X-Forwarded-For to escape a limit. Stopped by edge/proxy/address.py."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_multiplayer.config import BadSetting
from mcp_multiplayer.edge.proxy.address import Addresses, parse_trusted


def sender(peer: str, *forwarded: str, trusted: str = "") -> str:
    scope: dict[str, Any] = {
        "type": "http",
        "client": (peer, 1),
        "headers": [(b"x-forwarded-for", line.encode()) for line in forwarded],
    }
    return Addresses(parse_trusted(trusted)).of(scope)


def test_without_trusted_proxies_the_header_counts_for_nothing() -> None:
    assert sender("198.51.100.9", "1.2.3.4") == "198.51.100.9"
    assert sender("127.0.0.1", "1.2.3.4") == "127.0.0.1"


def test_a_stranger_is_not_believed_even_if_others_are() -> None:
    assert sender("198.51.100.9", "1.2.3.4", trusted="10.0.0.0/8") == "198.51.100.9"


@pytest.mark.parametrize(
    ("lines", "address"),
    [
        (["1.2.3.4"], "1.2.3.4"),
        (["6.6.6.6, 1.2.3.4"], "1.2.3.4"),
        (["6.6.6.6", "1.2.3.4"], "1.2.3.4"),
        (["6.6.6.6, 1.2.3.4, 10.1.1.1"], "1.2.3.4"),
        (["6.6.6.6, nonsense, 10.1.1.1"], "10.1.1.1"),
        ([""], "10.0.0.1"),
        ([], "10.0.0.1"),
        (["2001:db8::1"], "2001:db8::1"),
        (["1.2.3.4:5678"], "1.2.3.4"),
        (["[2001:db8::1]:5678, [2001:db8::2]"], "2001:db8::2"),
        (["6.6.6.6, 1.2.3.4:port"], "10.0.0.1"),
    ],
)
def test_the_nearest_stranger_is_who_sent_it(lines: list[str], address: str) -> None:
    assert sender("10.0.0.1", *lines, trusted="10.0.0.0/8, ::1") == address


def test_a_mapped_peer_is_recognised() -> None:
    assert sender("::ffff:10.0.0.1", "1.2.3.4", trusted="10.0.0.0/8") == "1.2.3.4"


@pytest.mark.parametrize("trusted", ["::ffff:10.0.0.0/104", "::ffff:10.0.0.1", "::FFFF:0A00:1"])
def test_a_trusted_proxy_may_be_written_within_ipv6(trusted: str) -> None:
    assert sender("10.0.0.1", "1.2.3.4", trusted=trusted) == "1.2.3.4"
    assert sender("11.0.0.1", "1.2.3.4", trusted=trusted) == "11.0.0.1"


def test_a_bad_setting_is_named() -> None:
    with pytest.raises(BadSetting, match="TRUSTED_PROXIES=caddy"):
        parse_trusted("caddy")
