"""Reading a request's body with a bound, for routes of our own.

On the other side is a client that sends without end, or goes away in the middle.
"""

from __future__ import annotations

from starlette.requests import ClientDisconnect, Request


class TooLong(Exception):
    """The body exceeds what the endpoint reads, or its end never came."""


async def read(request: Request, limit: int) -> bytes:
    """Return the body of at most ``limit`` bytes, or raise `TooLong`."""
    parts: list[bytes] = []
    size = 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > limit:
                raise TooLong
            parts.append(part)
    except ClientDisconnect:
        raise TooLong from None
    return b"".join(parts)
