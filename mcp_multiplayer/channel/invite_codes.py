"""Codes, tokens and seals: how a secret is written, found and hashed. Pure: randomness and keys are
arguments. A code or token exists in clear only in the answer that creates it; logs and stores get
`digest`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from mcp_multiplayer.transcript.canonical_json import canonical
from mcp_multiplayer.transcript.entries import b64u

#: A code, alone or in a link, with the head of the day it was made: ``.<size>.<fingerprint>``.
INVITE = re.compile(r"inv_[A-Za-z0-9]{8,64}(?:\.\d+\.[A-Z2-7]+)?")
REJOIN = re.compile(r"rejoin_[A-Za-z0-9_-]{16,86}")
#: Tokens, codes and secrets of our own authorization server (edge/auth).
BEARER = re.compile(r"mp[trcsbd]_[A-Za-z0-9_-]{43}")
#: In a link to a copy of the record (edge/api/transcripts): claims and their MAC.
RECORD = re.compile(r"record_[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}")


_OUR_INVITE = re.compile(r"inv_[a-z2-7]{24}")  #: as `invite_code` writes 15 bytes
_OUR_REJOIN = re.compile(r"rejoin_[A-Za-z0-9_-]{43}")


def code_in(text: str) -> str | None:
    """Return the invite code or rejoin token in ``text``, which may be a whole link. The head
    that an invite carries is for verifiers; the code is what comes before."""
    whole = whole_code_in(text)
    return whole and whole.partition(".")[0]


def whole_code_in(text: str) -> str | None:
    """Return the same with the head, if there is one."""
    found = REJOIN.search(text) or INVITE.search(text)
    return found.group() if found else None


def secrets_in(text: str) -> list[str]:
    """Return everything in ``text`` that has the form of a code or token; also without what
    follows it, for a ``_`` or a word that touches a token looks like a part of it."""
    found = [match for form in (INVITE, REJOIN, BEARER, RECORD) for match in form.findall(text)]
    return found + [short for form in (_OUR_INVITE, _OUR_REJOIN) for short in form.findall(text)]


def digest(code: str) -> str:
    """The form in which a code or token is kept: SHA-256, hex."""
    return hashlib.sha256(code.encode()).hexdigest()


def invite_code(random: bytes) -> str:
    """Write 10 or more random bytes as an invite code that can be read aloud."""
    return "inv_" + base64.b32encode(random).decode().rstrip("=").lower()


def rejoin_token(key: bytes, channel_id: str, slot: str, generation: int) -> str:
    """The token of one occupancy of one seat; the same each time it is asked for."""
    text = f"mpx/rejoin/1\n{channel_id}\n{slot}\n{generation}".encode()
    return "rejoin_" + b64u(hmac.digest(key, text, "sha256"))


@lru_cache(maxsize=8192)  # each call asks, and setting HMAC up costs more than the rest of it
def who(key: bytes, origin: str, account: str) -> str:
    """An account as one channel knows it; unlinkable across channels without the key."""
    return b64u(hmac.digest(key, f"{origin}\n{account}".encode(), "sha256"))[:16]


def seal(salt: str, body: Mapping[str, Any]) -> str:
    """Digest of a private body: an RFC 9901 array-element disclosure, [salt, value]."""
    return _disclosure_digest([salt, body])


def seal_value(salt: str, name: str, value: Any) -> str:
    """Digest of one private value of a public body: RFC 9901 [salt, name, value]."""
    return _disclosure_digest([salt, name, value])


def _disclosure_digest(disclosure: list[Any]) -> str:
    return b64u(hashlib.sha256(b64u(canonical(disclosure)).encode()).digest())
