"""Somebody puts a live code where others will read it: not into a post, but into a name, the
params or the source of a referee, a label, or the entropy that the record publishes. Stopped by
`Desk.keep_secret`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.edge.api.house import House, open_house

pytestmark = pytest.mark.asyncio(loop_scope="module")
ECHO = "class Echo:\n    pass\n"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with open_house(tmp_path_factory.mktemp("house")) as made:
        yield made


async def _codes(house: House) -> tuple[str, str]:
    """A live invite and a live rejoin token of one room."""
    room = await house.room(house.account(), join_as="alice")
    return room["invites"][0].partition(".")[0], room["rejoin_token"]


def _openings(code: str) -> list[dict[str, Any]]:
    return [
        {"name": f"come in: {code}"},
        {"slots": [f"invite:{code[:32]}", "invite:bob"]} if len(code) <= 32 else {"name": code},
        {"bot_code": f"# {code}\n{ECHO}"},
        {"bot_code": ECHO, "bot_params": {"hint": [code]}},
        {"bots": [{"inline_code": ECHO, "manifest": {"summary": code}}]},
        {"join_as": "alice", "entropy": f"my luck is {code}"},
    ]


async def test_no_room_opens_with_a_live_code_in_what_others_read(house: House) -> None:
    for code in await _codes(house):
        for arguments in _openings(code):
            said = await house.rest(house.account(), "create_channel", **arguments)
            assert (said.refused, code in str(said.data)) == ("INVALID_REQUEST", False), arguments
            assert "live" in said.data["message"]


async def test_no_change_brings_a_live_code_into_a_room(house: House) -> None:
    host = house.account()
    room = (await house.room(host, bot_code=ECHO))["channel_id"]
    for code in await _codes(house):
        for op in (
            {"op": "rename", "name": code},
            {"op": "set_bot", "bot_id": "echo", "bot_code": ECHO, "params": {"a": code}},
        ):
            said = await house.rest(host, "update_channel", channel_id=room, ops=[op])
            assert said.refused == "INVALID_REQUEST", op
        attach = {"bot_code": ECHO, "manifest": {"rules": code}}
        said = await house.rest(host, "attach_bot", channel_id=room, **attach)
        assert said.refused == "INVALID_REQUEST"


async def test_nobody_publishes_the_code_he_came_with_as_his_luck(house: House) -> None:
    room = await house.room(house.account(), bot_preset="CoinBot")
    code = room["invites"][0]
    guest = house.account()
    said = await house.rest(guest, "join_channel", invite_code=code, entropy=code)
    assert said.refused == "INVALID_REQUEST"
    joined = await house.rest(guest, "join_channel", invite_code=code, entropy="e" * 32)
    assert joined.status == 200


async def test_a_text_full_of_codes_costs_no_look_up_each(house: House) -> None:
    codes = " ".join(f"inv_{number:024d}" for number in range(3000))
    said = await house.rest(
        house.account(), "create_channel", bot_code=ECHO, bot_params={"a": codes}
    )
    assert said.refused == "INVALID_REQUEST"
