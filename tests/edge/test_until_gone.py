"""A block ends with what it waits beside, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc

import pytest

from mcp_multiplayer.edge.until_gone import until


async def test_a_block_that_never_waits_leaves_nothing_behind() -> None:
    """Else Python warns, at some later time, of a coroutine that was never awaited."""
    called = []

    async def over() -> None:
        called.append(1)

    async with until(over):
        pass
    await asyncio.sleep(0)
    gc.collect()
    assert called == []


async def test_a_block_that_waits_is_ended_in_silence() -> None:
    async def over() -> None:
        await asyncio.sleep(0)

    passed = False
    async with until(over):
        await asyncio.Event().wait()
        passed = True
    assert not passed


async def test_somebody_elses_wish_to_end_the_task_is_not_lost() -> None:
    async def block() -> None:
        async with until(asyncio.Event().wait):  # type: ignore[arg-type]
            await asyncio.Event().wait()

    task = asyncio.create_task(block())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
