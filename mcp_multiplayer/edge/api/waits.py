"""MCP calls that wait, and what ends one early: its client closes the connection, or says that it
has cancelled the request (MCP 2025-11-25, Cancellation; there the connection may stay open).

On the other side is a client with a time-out, or a person who pressed Stop. The wait is freed at
once: nobody reads its answer, and none is sent (202, as to a notification).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcp_multiplayer.edge.identity import Caller
from mcp_multiplayer.edge.until_gone import until_gone

CANCELLED = "notifications/cancelled"
#: Account, OAuth client, id of the request.
_Key = tuple[str, str, Any]
Json = Mapping[str, Any]


@dataclass(eq=False)
class _Wait:
    """A request that is not answered yet. ``cancelled``: by its client's own word."""

    task: asyncio.Task[Any]
    cancelled: bool = False


class Waits:
    """The calls that wait."""

    def __init__(self) -> None:
        self._waiting: dict[_Key, list[_Wait]] = {}

    async def watch(
        self, serve: ASGIApp, caller: Caller, id: Any, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Have ``serve`` answer the request of this ``id`` for as long as somebody waits for it."""
        async with until_gone(receive):
            await self._watch(serve, _key(caller, id), scope, receive, send)

    async def _watch(
        self, serve: ASGIApp, key: _Key, scope: Scope, receive: Receive, send: Send
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        own = _Wait(task)
        self._waiting.setdefault(key, []).append(own)

        async def answer(message: Message) -> None:
            self._forget(key, own)  # what is being answered is over
            await send(message)

        try:
            await serve(scope, receive, answer)
        except asyncio.CancelledError:
            if not own.cancelled:
                raise
            task.uncancel()
            await Response(status_code=202)(scope, receive, send)
        finally:
            self._forget(key, own)

    def _forget(self, key: _Key, own: _Wait) -> None:
        left = [other for other in self._waiting.pop(key, []) if other is not own]
        if left:
            self._waiting[key] = left

    def cancel(self, caller: Caller, message: Json) -> None:
        """End the wait that is meant. Where two programs share a login, ids meet; then none is
        ended, for one of them still waits."""
        params = message.get("params") or {}
        key = _key(caller, params.get("requestId"))
        if len(waiting := self._waiting.get(key, [])) == 1 and not waiting[0].cancelled:
            waiting[0].cancelled = True
            waiting[0].task.cancel()


def _key(caller: Caller, request: Any) -> _Key:
    return caller.account, caller.client_id, request if isinstance(request, str | int) else None
