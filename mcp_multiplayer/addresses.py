"""Hosts and origins as browsers write them, so that equal ones are equal text (WHATWG URL §3, §4).

One form, made where an address comes in: lower case, IDNA (UTS 46, as browsers have it), no final
dot, an IP address in its usual spelling, no default port.
"""

from __future__ import annotations

import re
import socket
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def name(text: str) -> str:
    """The form of a DNS name. ValueError for what is none."""
    plain = text.strip().lower().removesuffix(".")
    if not plain.isascii():
        import idna  # a verifier comes by here on a bare Python, which has none

        try:
            mapped = idna.uts46_remap(plain, std3_rules=False, transitional=False)
        except idna.IDNAError:
            raise ValueError(f"{text[:60]!r} is not a host name") from None
        labels = [
            label if label.isascii() else f"xn--{label.encode('punycode').decode()}"
            for label in mapped.removesuffix(".").split(".")
        ]
        plain = ".".join(labels)
    if len(plain) > 253 or not _NAME.fullmatch(plain):
        raise ValueError(f"{text[:60]!r} is not a host name")
    return plain


def host(text: str) -> str:
    """The form of a host: a name, an IPv4 address, an IPv6 address in brackets. ValueError."""
    bare = text.strip()
    if bare.startswith("[") and bare.endswith("]"):
        address = IPv6Address(bare[1:-1])
        if address.scope_id:
            raise ValueError(f"{text[:60]!r} has a zone, which is of one machine only")
        return f"[{address.compressed}]"
    plain = name(bare)
    if _NUMBER.fullmatch(plain.rpartition(".")[2]):  # then browsers read all of it as IPv4
        try:
            return str(ip_address(socket.inet_aton(plain)))
        except OSError:
            raise ValueError(f"{text[:60]!r} is not an IPv4 address") from None
    return plain


def origin(text: str) -> str:
    """The form of an http(s) origin, which a final slash does not change. ValueError."""
    parts = urlsplit(text.strip())
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ValueError("an origin begins with http:// or https:// and a host")
    if parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("an origin has no path, no query and no user")
    where = host(f"[{parts.hostname}]" if "[" in parts.netloc else parts.hostname)
    if parts.port in (None, _DEFAULT_PORTS[parts.scheme]):
        return f"{parts.scheme}://{where}"
    return f"{parts.scheme}://{where}:{parts.port}"
