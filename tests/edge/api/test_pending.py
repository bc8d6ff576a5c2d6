"""What is answered while a referee is still busy: that it is, and that the head is from before."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_multiplayer.service import channel_manager
from tests.edge.api.house import House, Said

pytestmark = pytest.mark.asyncio(loop_scope="module")

GREETER = """
class Greeter:
    def on_init(self):
        self.ctx.post('bot', {'at': 'init'})
    def on_join(self, player):
        self.ctx.post('bot', {'at': 'join'})
    def on_message(self, msg):
        self.ctx.post('bot', {'at': 'message'})
    def on_leave(self, player):
        self.ctx.post('bot', {'at': 'leave'})
"""


WAITS = ("create_channel", "join_channel", "post_message", "update_channel", "leave_channel")


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve seconds have passed before any process can answer."""
    monkeypatch.setattr(channel_manager, "HANDLED", 0.0)


async def answered(house: House, name: str, monkeypatch: pytest.MonkeyPatch) -> Said:
    """What the operation says in a room that was opened with patience."""
    host, guest = house.account(), house.account()
    asked: dict[str, Any] = {"bot_code": GREETER, "join_as": "alice"}
    if name == "create_channel":
        return await house.tool(host, name, **asked)
    with monkeypatch.context() as patient:
        patient.setattr(channel_manager, "HANDLED", 30.0)
        room = await house.room(host, **asked)
    if name == "join_channel":
        return await house.tool(guest, name, invite_code=room["invites"][0])
    change = {"op": "set_bot", "bot_id": room["bots"][0]["bot_id"], "bot_code": GREETER}
    more: dict[str, Any] = {"post_message": {"body": "hello"}, "update_channel": {"ops": [change]}}
    return await house.tool(host, name, channel_id=room["channel_id"], **more.get(name, {}))


@pytest.mark.parametrize("name", WAITS)
async def test_who_need_not_wait_longer_is_told_that_the_referee_is_busy(
    house: House, monkeypatch: pytest.MonkeyPatch, no_patience: None, name: str
) -> None:
    said = await answered(house, name, monkeypatch)
    assert said.data["pending"] is True
    assert [line for line in said.lines if line.startswith("pending: the referee is still busy")]
    assert "your user's receipt" not in said.text


@pytest.mark.parametrize("name", WAITS)
async def test_whose_referee_has_answered_reads_nothing_of_waiting(
    house: House, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    said = await answered(house, name, monkeypatch)
    assert "pending" not in said.data
    assert "pending" not in said.text


async def test_the_head_beside_a_post_that_is_pending_is_signed_and_from_before_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = await house.pair(bot_code=GREETER)
    monkeypatch.setattr(channel_manager, "HANDLED", 0.0)
    said = await house.tool(pair.bob, "post_message", channel_id=pair.id, body="hello")
    read = await house.rest(pair.bob, "sync_messages", channel_id=pair.id)
    entries = {message["id"]: message["entry"] for message in read.data["messages"]}
    head = said.data["view"]["head"]
    assert head["signature"]
    assert head["size"] <= entries[said.data["msg_id"]]
    assert "log: is a head from before it and no receipt for it" in said.text
