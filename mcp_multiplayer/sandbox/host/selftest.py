"""Whether the jail holds on this machine: real attacks from real workers, each to be refused. Run
by the pool for every zygote before the first bot's code reaches it.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from typing import Protocol

from mcp_multiplayer.sandbox.host.forkserver import Death
from mcp_multiplayer.sandbox.jail.selftest_attacks import ATTACKS, LONGEST, fault, fault_of_long
from mcp_multiplayer.sandbox.protocol import frames

_SECONDS = 10.0


class Canary(Protocol):
    """A worker, as far as this needs it."""

    sock: socket.socket
    death: asyncio.Future[Death]

    def drop(self) -> None: ...


async def examine(fork: Callable[[], Canary]) -> tuple[int, tuple[str, ...]]:
    """Make every attack, each from a worker of its own; how many, and which succeeded."""
    found = await asyncio.gather(*(_attack(fork(), name) for name in ATTACKS))
    failures = tuple(text for text in found if text)
    return len(ATTACKS), failures


async def _attack(worker: Canary, name: str) -> str:
    """What went through, or nothing."""
    try:
        async with asyncio.timeout(_SECONDS):
            await _receive(worker)  # it is ready
            request = frames.pack(json.dumps({"do": "attack", "attack": name}).encode())
            await asyncio.get_running_loop().sock_sendall(worker.sock, request)
            return fault(name, json.loads(await _receive(worker)), None)
    except frames.TooLong:
        return fault_of_long(name)
    except (frames.BadFrame, ConnectionError):
        return await _death(worker, name)
    except TimeoutError:
        return f"{name}: no answer"
    finally:
        worker.drop()
        await asyncio.wait([worker.death], timeout=_SECONDS)  # none is left when bots come


async def _death(worker: Canary, name: str) -> str:
    done, _ = await asyncio.wait([worker.death], timeout=_SECONDS)
    return fault(name, None, worker.death.result().status if done else None)


async def _receive(worker: Canary) -> bytes:
    header = await _exactly(worker, frames.HEADER.size)
    return await _exactly(worker, frames.length(header, LONGEST))


async def _exactly(worker: Canary, n: int) -> bytes:
    loop, data = asyncio.get_running_loop(), b""
    while len(data) < n:
        part = await loop.sock_recv(worker.sock, n - len(data))
        if not part:
            raise frames.BadFrame("end of stream")
        data += part
    return data
