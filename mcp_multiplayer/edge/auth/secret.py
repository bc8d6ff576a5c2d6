"""Random secrets and what is kept of them."""

from __future__ import annotations

import hashlib
import hmac
import secrets

ACCESS = "mpt_"
REFRESH = "mpr_"
CODE = "mpc_"
BROWSER = "mpb_"
CLIENT_SECRET = "mps_"


def mint(prefix: str) -> str:
    """Return a fresh secret: the prefix and 43 url-safe characters (256 bits).

    The prefix lets secret scanners, and the rule that a post may not contain a live
    secret, recognise one.
    """
    return prefix + secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """Return what is stored in place of ``secret``.

    Plain SHA-256 is enough because what is hashed has 256 random bits; a slow hash
    would only slow us.
    """
    return hashlib.sha256(secret.encode()).hexdigest()


def admission(key: bytes, passcode: str) -> str:
    """Return the mark of everything let in by this passcode, "" for an open server.

    A passcode is short and chosen by people, so its mark is keyed: oauth.db alone gives
    no way to try guesses. Whatever carries another mark has to be let in again.
    """
    if not passcode:
        return ""
    return hmac.new(key, b"admission:" + passcode.encode(), hashlib.sha256).hexdigest()


def network(key: bytes, name: str) -> str:
    """Return what is stored in place of a sender's network (`addresses.network`).

    Keyed, because there are few addresses: who reads oauth.db or channels.db without the key
    can tell that two accounts came from one network, and not from which.
    """
    return hmac.new(key, b"network:" + name.encode(), hashlib.sha256).hexdigest()[:32]


def same(one: str, other: str) -> bool:
    """Compare without telling by the time it takes where they differ, or how long they are."""
    return hmac.compare_digest(
        hashlib.sha256(one.encode("utf-8", "replace")).digest(),
        hashlib.sha256(other.encode("utf-8", "replace")).digest(),
    )
