"""The guides as prompts, in both eras."""

from __future__ import annotations

import pytest

from mcp_multiplayer.edge.api.guides import GUIDES
from mcp_multiplayer.edge.api.prompts import PROMPTS
from tests.edge.api.house import MODES, House, Mode

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("mode", MODES)
async def test_each_prompt_is_a_wish_and_the_guide_for_it(house: House, mode: Mode) -> None:
    async with house.client(house.account(), mode) as client:
        assert {prompt.name for prompt in await client.list_prompts()} == PROMPTS.keys()
        for name, offered in PROMPTS.items():
            (message,) = (await client.get_prompt(name)).messages
            assert getattr(message.content, "text", None) == (
                f"{offered.wish}\n\n{GUIDES[offered.topic]}"
            )
