"""What a post needs before it can be decided on: its words, its seal, its name. On the other side
is a member whose text goes to people he does not know; a live code or token in it would let them
become him.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from mcp_multiplayer.channel import invite_codes
from mcp_multiplayer.channel.view import Opening
from mcp_multiplayer.errors import BadMessage, TooLarge
from mcp_multiplayer.storage.base import Store, Table
from mcp_multiplayer.transcript.canonical_json import NotCanonical, canonical
from mcp_multiplayer.transcript.entries import b64u

#: In JSON: the escapes of line breaks and tabs, and any other backslash.
_LEFT_OUT = re.compile(r"\\\\|\\[nrt]|\\")
LOOKED_UP = 2000  #: codes in one text; a message cannot hold more


@dataclass(frozen=True)
class Words:
    """A body as its readers will get it. A private one has its digest and what opens it."""

    body: Mapping[str, Any]
    size: int  #: bytes
    opening: Opening | None = None
    sealed: str | None = None


def prepare(
    body: str | Mapping[str, Any],
    *,
    private: bool,
    store: Store,
    mint: Callable[[int], bytes],
    most: int,
) -> Words:
    """Return the words of a post, or raise `TooLarge` above ``most`` bytes, `BadMessage` for
    what has no canonical form and for a live code or token among them."""
    if not isinstance(body, str | Mapping):
        raise BadMessage("a body is text or a JSON object")
    try:
        data = canonical({"text": body} if isinstance(body, str) else body)
    except NotCanonical as error:
        raise BadMessage(str(error)) from None
    if len(data) > most:  # before each code in it is looked up
        raise TooLarge(f"a body of {len(data)} bytes; at most {most >> 10} KiB")
    if secret := live_secret(data.decode(), store):
        raise BadMessage(
            f"the message holds a live {secret} code, which is secret",
            hint="Post it without the code. Links go to people, not into the room.",
        )
    said = json.loads(data)  # as its readers get it; `canonical` has held it to the rules
    if not private:
        return Words(said, len(data))
    salt = b64u(mint(16))
    return Words(said, len(data), {"": [salt, said]}, invite_codes.seal(salt, said))


def live_secret(text: str, store: Store) -> str | None:
    """Return the kind of a live code or token in ``text`` (``inv_``), if there is one. What
    looks like very many of them is taken for some: each has to be looked up.

    ``text`` is JSON. It is also read as those who get it use it: a browser follows a link whatever
    of it is written as ``%5F``, and leaves out line breaks and tabs within it (WHATWG URL, 4.4);
    where Markdown is shown, a backslash before a character is not."""
    joined = _LEFT_OUT.sub("", text)
    readings = {text, joined, unquote(text), unquote(joined)}
    found = {secret for reading in readings for secret in invite_codes.secrets_in(reading)}
    for secret in found:
        unlisted = invite_codes.BEARER.fullmatch(secret) or invite_codes.RECORD.fullmatch(secret)
        if (
            len(found) > LOOKED_UP
            or unlisted
            or store.find(Table.TOKEN, invite_codes.digest(secret))
        ):
            return f"{secret.partition('_')[0]}_"
    return None


def repeat_key(
    seat: str,
    kind: str,
    body: Mapping[str, Any],
    to: Sequence[str] | None,
    *,
    cursor: int | None,
    key: str | None,
) -> str | None:
    """The name under which the same post is recognised: the caller's own key, else cursor
    and body together. None: without either, every call is a new post. ``seat`` names one
    occupancy of a seat: nobody repeats what another has said.

    Nothing here was checked yet, so the text is JSON in ASCII, which takes any string.
    """
    if key is not None:
        return f"{seat}:k:{invite_codes.digest(json.dumps(key))}"
    if cursor is None:
        return None
    said = [cursor, kind, body, None if to is None else list(to)]
    return f"{seat}:c:{invite_codes.digest(json.dumps(said, sort_keys=True))}"
