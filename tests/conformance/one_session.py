"""Sessions for a server behind a proxy that carries no session ids."""

from __future__ import annotations

import json

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ID = b"mcp-session-id"


class OneSession:
    """Whoever names no session is in the one that was opened last; so only one client at a time.

    The suite's questions in the middle of a call need a session: their answer is a request of its
    own, which must find the call.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._opened = b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        read = [await receive()]
        while read[-1].get("more_body"):
            read.append(await receive())
        if self._opened and not _opens(b"".join(one.get("body", b"") for one in read)):
            scope = {**scope, "headers": [*scope["headers"], (_ID, self._opened)]}

        async def again() -> Message:
            return read.pop(0) if read else await receive()

        async def noting(message: Message) -> None:
            self._opened = dict(message.get("headers", ())).get(_ID, self._opened)
            await send(message)

        await self._app(scope, again, noting)


def _opens(body: bytes) -> bool:
    try:
        return bool(json.loads(body)["method"] == "initialize")
    except (ValueError, KeyError, TypeError):
        return False
