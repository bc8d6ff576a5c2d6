"""Two followers at a table of the house, at faces of their own."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from typing import Any

from tests.edge.api.house import House, via_client
from tests.follower import Ask, Follower, Json

#: A seed with which chess by chance is soon over.
SHORT = 458


async def asking(house: House, stack: AsyncExitStack, face: str) -> Ask:
    """A new account at a face: both eras by real clients, and REST."""
    account = house.account()
    if face == "rest":

        async def ask(name: str, arguments: Json) -> tuple[Json, str]:
            said = await house.rest(account, name, **arguments)
            assert said.status == 200, said.data
            return said.data, ""

        return ask
    mode: Any = {"legacy": "legacy", "modern": "auto"}[face]
    client = await stack.enter_async_context(house.client(account, mode))

    async def tool(name: str, arguments: Json) -> tuple[Json, str]:
        said = await via_client(client, name, **arguments)
        assert not said.refused, said.text
        return said.data, said.text

    return tool


async def game(
    house: House, preset: str, params: Json, faces: tuple[str, str], thinking: Any = None
) -> tuple[Follower, Follower, Json]:
    """Alice opens the room, bob gets the link of the other seat; both follow to the end. What alice
    read last."""
    opened: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    async with AsyncExitStack() as stack, asyncio.timeout(240), asyncio.TaskGroup() as group:
        asks = [await asking(house, stack, face) for face in faces]

        async def hosting(name: str, arguments: Json) -> tuple[Json, str]:
            said = await asks[0](name, arguments)
            if name == "create_channel":
                opened.set_result(next(iter(said[0]["invite_links"].values())))
            return said

        alice = Follower(hosting, random.Random(f"{SHORT} alice"), thinking)
        bob = Follower(asks[1], random.Random(f"{SHORT} bob"), thinking)
        host = group.create_task(
            alice.play("create_channel", bot_preset=preset, bot_params=params, join_as="alice")
        )
        group.create_task(bob.play("inspect_invite", invite_code=await opened))
    return alice, bob, host.result()
