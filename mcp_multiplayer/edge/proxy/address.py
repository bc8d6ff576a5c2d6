"""Who sends a request, by network address.

On the other side is a client that writes X-Forwarded-For itself. It counts only from
TRUSTED_PROXIES, and read from the right: what stands left of the first stranger was written
by the stranger (`tests/attacks/test_forwarded_for.py`).
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re

from starlette.requests import HTTPConnection
from starlette.types import Scope

from mcp_multiplayer.config import BadSetting

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def parse_trusted(text: str) -> tuple[Network, ...]:
    """Return the networks that TRUSTED_PROXIES names, or raise `BadSetting`."""
    try:
        parts = [part.strip() for part in text.split(",") if part.strip()]
        return tuple(_plain(ipaddress.ip_network(part, strict=False)) for part in parts)
    except ValueError as error:
        raise BadSetting(
            f"TRUSTED_PROXIES={text}: {error}; give addresses or CIDRs, comma-separated"
        ) from None


def _plain(network: Network) -> Network:
    """An IPv4 network that was written within IPv6 (::ffff:10.0.0.0/104): senders are compared
    as IPv4."""
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is None or network.prefixlen < 96:
        return network
    return ipaddress.ip_network((mapped, network.prefixlen - 96))


class Addresses:
    """Tells who sends a request. ``key`` is for what is kept of it."""

    def __init__(self, trusted: tuple[Network, ...] = (), key: bytes = b"") -> None:
        self._trusted = trusted
        self._key = key

    def sender(self, scope: Scope) -> str:
        """Return what counts as one sender (`network`)."""
        return network(self.of(scope))

    def mark(self, sender: str) -> str:
        """Return what is stored in place of a sender.

        Keyed, because there are few addresses: who reads oauth.db or channels.db without the key
        can tell that two accounts came from one network, and not from which.
        """
        return hmac.new(self._key, b"network:" + sender.encode(), hashlib.sha256).hexdigest()[:32]

    def of(self, scope: Scope) -> str:
        """Return the nearest address that is not one of our own proxies."""
        client = scope.get("client")
        peer = str(client[0]) if client else ""
        if not self._trusted or not self._trusts(peer):
            return peer
        forwarded = HTTPConnection(scope).headers.getlist("x-forwarded-for")
        hops = [_without_port(hop.strip()) for line in forwarded for hop in line.split(",")]
        for hop in reversed(hops):
            if _parse(hop) is None:
                break
            peer = hop
            if not self._trusts(hop):
                break
        return peer

    def _trusts(self, address: str) -> bool:
        ip = _parse(address)
        return ip is not None and any(ip in network for network in self._trusted)


def network(address: str) -> str:
    """Return whose an address is: an IPv4 address itself, the /64 that an IPv6 user owns."""
    ip = _parse(address)
    if ip is None:
        return address
    return str(ipaddress.ip_network((ip, 64), strict=False) if ip.version == 6 else ip)


def _without_port(hop: str) -> str:
    """Some gateways write ``1.2.3.4:5678`` and ``[2001:db8::1]:5678``."""
    found = re.fullmatch(r"\[([0-9A-Fa-f:.]+)\](?::\d+)?|([0-9.]+):\d+", hop)
    return found[1] or found[2] if found else hop


def _parse(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return None
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return mapped or ip
