"""A GET of a page, and how pages ask the server."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

#: Ask the server about what is public: the path of one of its open routes and the query; the
#: status and the JSON that it answers.
Ask = Callable[[str, dict[str, str]], Awaitable[tuple[int, Any]]]


@dataclass(frozen=True)
class Visit:
    """A GET of a page. ``base``: our address as the visitor spells it; ``key``: what the address
    names, such as a channel."""

    request: Request
    base: str
    key: str


Page = Callable[[Visit], Awaitable[Response]]
#: What an address looks like, and its page.
Place = tuple[re.Pattern[str], Page]


def wants_markdown(scope: Scope) -> bool:
    """Whether an agent asks for the text of a page, as several do when they read the web."""
    headers = dict(scope["headers"])
    accept = headers.get(b"accept", b"").lower()
    asked = scope["method"] == "GET" and b"authorization" not in headers
    return asked and b"text/markdown" in accept and b"text/html" not in accept
