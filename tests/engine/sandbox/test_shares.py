"""Places for workers: nobody holds them all, and waiting owners take turns."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.sandbox.shares import Shares


async def waiting(shares: Shares, owner: str) -> asyncio.Task[None]:
    task = asyncio.create_task(shares.take(owner))
    await asyncio.sleep(0)
    return task


async def test_one_owner_gets_half_of_the_places_and_another_the_next_at_once() -> None:
    shares = Shares(4)
    greedy = [await waiting(shares, "greedy") for _ in range(12)]
    assert sum(task.done() for task in greedy) == 2
    assert (await waiting(shares, "other")).done()
    for task in greedy:
        task.cancel()


async def test_owners_who_wait_take_turns() -> None:
    shares = Shares(2)
    first, second = await waiting(shares, "a"), await waiting(shares, "b")
    assert first.done() and second.done()
    order: list[str] = []

    async def one(owner: str) -> None:
        await shares.take(owner)
        order.append(owner)
        shares.give(owner)

    tasks = [asyncio.create_task(one(owner)) for owner in ("a", "a", "c", "b", "c")]
    await asyncio.sleep(0)
    shares.give("a")
    shares.give("b")
    await asyncio.wait_for(asyncio.gather(*tasks), 5)
    assert order[:2] == ["a", "c"]
    assert sorted(order) == ["a", "a", "b", "c", "c"]


async def test_the_server_itself_is_not_held_to_half() -> None:
    shares = Shares(4)
    assert all([(await waiting(shares, "")).done() for _ in range(4)])
    last = await waiting(shares, "")
    assert not last.done()
    last.cancel()


async def test_who_gives_up_waiting_keeps_nobody_waiting() -> None:
    shares = Shares(1)
    await shares.take("a")
    gone, next_one = await waiting(shares, "b"), await waiting(shares, "c")
    gone.cancel()
    await asyncio.sleep(0)
    shares.give("a")
    await asyncio.wait_for(next_one, 5)


async def test_a_place_given_to_who_gave_up_is_not_lost() -> None:
    shares = Shares(1)
    await shares.take("a")
    late = await waiting(shares, "b")
    shares.give("a")  # b has it now, but has not run yet
    late.cancel()
    with pytest.raises(asyncio.CancelledError):
        await late
    await asyncio.wait_for(shares.take("c"), 5)


@given(st.lists(st.sampled_from("abc"), max_size=40), st.integers(1, 6))
def test_whoever_comes_everybody_is_served(owners: list[str], total: int) -> None:
    async def play() -> None:
        shares = Shares(total)
        held = 0

        async def one(owner: str) -> None:
            nonlocal held
            await shares.take(owner)
            held += 1
            assert held <= total
            await asyncio.sleep(0)
            held -= 1
            shares.give(owner)

        await asyncio.wait_for(asyncio.gather(*map(one, owners)), 5)

    asyncio.run(play())
