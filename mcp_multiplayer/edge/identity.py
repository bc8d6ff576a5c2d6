"""Who is calling: signed by the proxy, checked by the server.

On the other side of this line is whoever can reach the server's port: other
programs on the machine or in the container network. They may not become an
account by writing a header (`tests/attacks/test_forged_caller_header.py`).

The statement is a JWT (RFC 7519, HS256, at most 60 s) in the header `Mpx-Caller`
under a key of DATA_DIR/keys that no client ever sees. The client's own bearer
token ends at the proxy.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, TypeVar

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

HEADER = "mpx-caller"
AUDIENCE = "mpx-server"
LIFETIME = 60  #: seconds; the same statement serves an account for half of it
_REMEMBERED = 4096

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True)
class Caller:
    """An account, and the address of ours that it used.

    ``account`` is the `sub` of its token; ``base_url`` heads the links it is given. ``network``
    stands for the address of the browser that consented (client credentials: of the
    registration), and is not that address. ``born`` is when the account was made, in seconds.
    """

    account: str
    base_url: str
    client_id: str = ""
    network: str = ""
    born: int = 0


#: Who the proxy says is calling, from the ASGI scope of a request that was let in.
Identify = Callable[[MutableMapping[str, Any]], Caller]


class NotSigned(Exception):
    """The request carries no valid statement of the proxy."""


class Signer:
    """Proxy side."""

    def __init__(self, key: bytes, *, now: Callable[[], float] = time.time) -> None:
        self._key = OctKey.import_key(key)
        self._now = now
        self._recent: OrderedDict[Caller, tuple[float, str]] = OrderedDict()

    def sign(self, caller: Caller) -> str:
        """Return the header value for ``caller``, good for at least half a lifetime."""
        now = self._now()
        until, statement = self._recent.get(caller, (0.0, ""))
        if until - now > LIFETIME / 2:
            return statement
        until = now + LIFETIME
        claims = {
            "aud": AUDIENCE,
            "sub": caller.account,
            "iss": caller.base_url,
            "cid": caller.client_id,
            "net": caller.network,
            "born": caller.born,
            "exp": int(until),
        }
        statement = jwt.encode({"alg": "HS256"}, claims, self._key)
        _remember(self._recent, caller, (until, statement))
        return statement


class Checker:
    """Server side. The signature of a statement is checked once, its expiry always."""

    def __init__(self, key: bytes, *, now: Callable[[], float] = time.time) -> None:
        self._key = OctKey.import_key(key)
        self._now = now
        self._recent: OrderedDict[str, tuple[float, Caller]] = OrderedDict()

    def check(self, statement: str) -> Caller:
        """Return who the proxy says is calling, or raise `NotSigned`."""
        known = self._recent.get(statement)
        if known is None:
            known = self._verify(statement)
            _remember(self._recent, statement, known)
        until, caller = known
        if until <= self._now():
            raise NotSigned("the statement has expired")
        return caller

    def _verify(self, statement: str) -> tuple[float, Caller]:
        try:
            claims = jwt.decode(statement, self._key, algorithms=["HS256"]).claims
        except (JoseError, ValueError) as error:
            raise NotSigned("no valid statement of the proxy") from error
        if claims.get("aud") != AUDIENCE or not claims.get("sub"):
            raise NotSigned("the statement is not meant for this server")
        return float(claims["exp"]), Caller(
            claims["sub"],
            claims["iss"],
            claims.get("cid", ""),
            claims.get("net", ""),
            claims.get("born", 0),
        )


def _remember(recent: OrderedDict[K, V], key: K, value: V) -> None:
    recent[key] = value
    if len(recent) > _REMEMBERED:
        recent.popitem(last=False)
