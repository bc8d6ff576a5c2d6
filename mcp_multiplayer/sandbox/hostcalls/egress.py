"""Where bots may connect to.

Pure: text and addresses in, words out. On the other side is a bot that wants the server
to connect for it to what only the server can reach: itself, its private network, its
cloud's metadata. Judged is the address that is really connected to, in whatever form it
was written (tests/sandbox/hostcalls/test_egress.py).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import TypeAlias

from mcp_multiplayer import addresses

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

#: What `ipaddress` calls global and no bot may reach.
_CLOSED_4 = tuple(
    IPv4Network(text)
    for text in (
        "100.64.0.0/10",
        "168.63.129.16/32",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "169.254.0.0/16",
        "0.0.0.0/8",
        "240.0.0.0/4",
    )
)
#: Of IPv6 only what is handed out to the internet, less what carries other addresses inside.
_OPEN_6 = IPv6Network("2000::/3")
_CLOSED_6 = tuple(
    IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)
_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_COMPATIBLE = IPv6Network("::/96")

NOTHING = "bots of this server have no network (BOT_EGRESS=none)"


class BadEgress(ValueError):
    """A setting cannot be read; the text names it and the part that is wrong."""


@dataclass(frozen=True)
class Egress:
    """What an operator lets bots reach. The default is nothing."""

    everywhere: bool = False  #: the public internet
    ports: frozenset[int] = frozenset({80, 443})
    names: frozenset[tuple[str, int | None]] = frozenset()  #: (name, port; None: any of ports)
    networks: tuple[tuple[Network, int | None], ...] = ()
    #: (name, port) that lead elsewhere, and by that to a place that is permitted
    instead: Mapping[tuple[str, int], tuple[Address, int]] = field(default_factory=dict)

    @property
    def nothing(self) -> bool:
        """True when every connection is refused whatever its address."""
        return not (self.everywhere or self.names or self.networks or self.instead)

    def refuses_name(self, name: str, port: int | None = None) -> str:
        """Why a name may not even be looked up, or "": a look-up is a message, too."""
        if self.everywhere or self.networks or any(name == listed for listed, _ in self.names):
            return ""
        return NOTHING if self.nothing else _unlisted(f"{name}:{port}" if port else name)

    def refuses(
        self, address: Address, port: int, *, names: Collection[str] = (), local: bool = False
    ) -> str:
        """Why no bot may connect to this address, or "". ``names`` led to it; ``local``
        says that it is one of this machine's own."""
        if (address, port) in self.instead.values():
            return ""
        if not (self.everywhere or self.names or self.networks):
            return NOTHING
        for form in forms(address):
            reason = self._refuses(form, port, names, local)
            if reason:
                return reason
        return ""

    def _refuses(self, form: Address, port: int, names: Collection[str], local: bool) -> str:
        if self._listed(form, port, local):
            return ""
        if not self.everywhere and not any(self._named(name, port) for name in names):
            return _unlisted(next(iter(names), str(form)))
        if local or not public(form):
            return f"{kind(form, local)} cannot be reached by bots"
        if port not in self.ports and (self.everywhere or not self._named_exactly(names, port)):
            shown = ", ".join(map(str, sorted(self.ports)))
            return f"port {port} cannot be reached by bots, only {shown}"
        return ""

    def _listed(self, form: Address, port: int, local: bool) -> bool:
        """A range never means this machine itself; an address spelt out does."""
        return any(
            form in network
            and (port == listed if listed else port in self.ports)
            and (not local or network.num_addresses == 1)
            for network, listed in self.networks
        )

    def _named(self, name: str, port: int) -> bool:
        return (name, port) in self.names or ((name, None) in self.names and port in self.ports)

    def _named_exactly(self, names: Collection[str], port: int) -> bool:
        return any((name, port) in self.names for name in names)


def forms(address: Address) -> list[Address]:
    """The address and every IPv4 address that some gateway would take out of it."""
    if isinstance(address, IPv4Address):
        return [address]
    found: list[Address] = [IPv6Address(int(address))]  # without a scope
    low = IPv4Address(int(address) & 0xFFFFFFFF)
    if address.ipv4_mapped:
        found.append(address.ipv4_mapped)
    if address.sixtofour:
        found.append(address.sixtofour)
    if address.teredo:
        found += address.teredo
    if int(address) > 1 and any(found[0] in network for network in (*_NAT64, _COMPATIBLE)):
        found.append(low)
    return found


def public(address: Address) -> bool:
    """True for an address of the internet at large."""
    if isinstance(address, IPv4Address):
        return (
            address.is_global
            and not address.is_multicast
            and not address.is_reserved
            and not any(address in network for network in _CLOSED_4)
        )
    return address in _OPEN_6 and not any(address in network for network in _CLOSED_6)


def kind(address: Address, local: bool = False) -> str:
    """What an address that is not public is, for its error."""
    if local:
        return "this server itself"
    for is_one, words in (
        (address.is_unspecified, "the unspecified address"),
        (address.is_loopback, "a loopback address"),
        (address.is_link_local, "a link-local address"),
        (address.is_multicast, "a multicast address"),
        (address.is_private, "a private address"),
    ):
        if is_one:
            return words
    return "an address outside the public internet"


def _unlisted(what: str) -> str:
    return f"{what} is not among the places that bots of this server may reach"


def plain_name(host: str) -> str:
    """A host as it is looked up and compared: a name, or an address as it stands. ValueError."""
    text = host.strip().lower()
    return text if literal(text) else addresses.name(text)


def literal(text: str) -> Address | None:
    """The address that a text is in the one canonical spelling of its kind, else None."""
    try:
        return ip_address(text)
    except ValueError:
        return None


def read_egress(egress: str, ports: str, resolve: str) -> Egress:
    """The policy of BOT_EGRESS, BOT_EGRESS_PORTS and BOT_EGRESS_RESOLVE, or `BadEgress`."""
    usual = frozenset(_port(part, "BOT_EGRESS_PORTS") for part in _parts(ports))
    names: set[tuple[str, int | None]] = set()
    networks: list[tuple[Network, int | None]] = []
    parts = _parts(egress)
    everywhere = "public" in parts
    for part in parts if parts != ["none"] else []:
        where, port = _place(part, "BOT_EGRESS")
        network = _network(where)
        if network is not None:
            networks.append((network, port))
        elif part != "public":
            names.add((_host(where, part, "BOT_EGRESS"), port))
    if not parts or ("none" in parts and len(parts) > 1):
        raise BadEgress("BOT_EGRESS: write none, or public, or hosts with ports and networks")
    return Egress(
        everywhere=everywhere,
        ports=usual,
        names=frozenset(names),
        networks=tuple(networks),
        instead=dict(_instead(part) for part in _parts(resolve)),
    )


def _instead(part: str) -> tuple[tuple[str, int], tuple[Address, int]]:
    setting = "BOT_EGRESS_RESOLVE"
    asked, equals, target = part.partition("=")
    name, port = _place(asked, setting)
    where, target_port = _place(target, setting)
    address = literal(where)
    if not equals or port is None or target_port is None or address is None:
        raise BadEgress(f"{setting}: {part!r} is not of the form name:port=address:port")
    return (_host(name, part, setting), port), (address, target_port)


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _place(text: str, setting: str) -> tuple[str, int | None]:
    """``host``, ``host:port``, ``[v6]:port``, a bare v6 address or a network."""
    bracketed = re.fullmatch(r"\[([^\]]*)\](?::([^:]*))?", text.strip())
    if bracketed:
        host, port = bracketed.groups()
        return host, None if port is None else _port(port, setting)
    if text.count(":") != 1:
        return text.strip(), None
    host, _, port = text.strip().partition(":")
    return host, _port(port, setting)


def _network(text: str) -> Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def _host(text: str, part: str, setting: str) -> str:
    try:
        return plain_name(text)
    except ValueError:
        raise BadEgress(
            f"{setting}: {part!r} is neither a host, with or without :port, nor a network"
        ) from None


def _port(text: str, setting: str) -> int:
    if text.isascii() and text.isdecimal() and 1 <= int(text) <= 65535:
        return int(text)
    raise BadEgress(f"{setting}: {text!r} is not a port from 1 to 65535")
