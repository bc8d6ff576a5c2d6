"""The parameters of a request to the authorization server, read by one rule at every endpoint."""

from __future__ import annotations

from urllib.parse import parse_qsl

MOST = 50
#: Stands once for each resource that is asked for (RFC 8707 §2).
_REPEATABLE = {"resource"}

Parameters = tuple[tuple[str, str], ...]


class NotParameters(ValueError):
    """The text is no list of parameters; says why."""


def read(text: str | bytes) -> Parameters:
    """Return the parameters of a query or form in order, or raise `NotParameters`.

    One without a value counts as left out, and none may be there twice (RFC 6749 §3.1, §3.2).
    """
    try:
        plain = text.decode() if isinstance(text, bytes) else text
    except UnicodeDecodeError:
        raise NotParameters("The request is not UTF-8.") from None
    try:
        pairs = parse_qsl(plain, keep_blank_values=True, max_num_fields=MOST)
    except ValueError:
        raise NotParameters("The request has too many parameters.") from None
    names = [name for name, _ in pairs if name not in _REPEATABLE]
    if len(names) != len(set(names)):
        raise NotParameters("The request has a parameter twice.")
    return tuple(pair for pair in pairs if pair[1])
