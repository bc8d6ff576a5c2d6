"""An answer leaves in one piece, and nothing of it is lost or kept back."""

from __future__ import annotations

import asyncio
from typing import Any

from mcp_multiplayer.edge.uvicorn_protocol import BatchedTransport


class Wire:
    """Notes what reaches the socket."""

    def __init__(self) -> None:
        self.seen: list[bytes | str] = []
        self.closing = False

    def write(self, data: bytes) -> None:
        self.seen.append(data)

    def close(self) -> None:
        self.seen.append("closed")
        self.closing = True

    def is_closing(self) -> bool:
        return self.closing


def batched() -> tuple[Any, Wire]:
    wire = Wire()
    return BatchedTransport(wire, asyncio.get_running_loop()), wire  # type: ignore[arg-type]


async def test_what_is_written_in_one_turn_goes_out_together_in_the_next() -> None:
    transport, wire = batched()
    transport.write(b"head ")
    transport.write(b"body")
    assert wire.seen == []
    await asyncio.sleep(0)
    transport.write(b"more")
    await asyncio.sleep(0)
    assert wire.seen == [b"head body", b"more"]


async def test_closing_lets_out_what_is_held_first() -> None:
    transport, wire = batched()
    transport.write(b"last words")
    transport.close()
    await asyncio.sleep(0)
    assert wire.seen == [b"last words", "closed"]


async def test_a_connection_that_is_gone_is_not_written_to() -> None:
    transport, wire = batched()
    transport.write(b"too late")
    wire.closing = True
    await asyncio.sleep(0)
    assert wire.seen == []
