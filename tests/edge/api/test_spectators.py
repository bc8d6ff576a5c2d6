"""`watch:label`: somebody who sees what everybody sees, and has no part in the game."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.edge.api.house import House
from tests.follower import called

pytestmark = pytest.mark.asyncio(loop_scope="module")

SLOTS = ["bot:auction", "invite:alice", "invite:bob", "watch:carol"]
#: It says which hooks it hears, and who plays.
EARS = """
class Ears:
    def on_join(self, player):
        self.ctx.post("bot", {"joined": player, "players": self.ctx.players})
    def on_leave(self, player):
        self.ctx.post("bot", {"left": player, "players": self.ctx.players})
    def on_start(self):
        self.ctx.post("bot", {"started": self.ctx.players})
"""


async def opened(house: House, **arguments: Any) -> tuple[str, str, str, list[str], Any]:
    """(channel, alice, carol, invites, what carol joined with): carol watches, bob is not here."""
    alice, carol = house.account(), house.account()
    room = await house.room(alice, slots=SLOTS, join_as="alice", **arguments)
    looked = await house.tool(carol, "inspect_invite", invite_code=room["invites"][1])
    assert "you would watch as carol" in looked.lines[0]
    call = called(looked.lines[-1])
    assert call is not None and "entropy" not in call[1]
    joined = await house.tool(carol, "join_channel", **call[1])
    assert not joined.refused, joined.text
    return room["channel_id"], alice, carol, room["invites"], joined


async def everything(house: House, account: str, channel: str) -> list[dict[str, Any]]:
    said = await house.rest(account, "sync_messages", channel_id=channel, cursor=0, limit=500)
    return list(said.data["messages"])


async def test_the_game_neither_waits_for_a_spectator_nor_tells_its_referee(house: House) -> None:
    channel, alice, carol, invites, joined = await opened(house, bot_code=EARS)
    assert joined.data["view"]["status"] == "open"
    await house.rest(house.account(), "join_channel", invite_code=invites[0])
    await house.rest(carol, "leave_channel", channel_id=channel)
    said = await everything(house, alice, channel)
    heard = [one["body"] for one in said if one["sender"] == "bot:auction"]
    assert heard == [
        {"joined": "alice", "players": ["alice"]},
        {"joined": "bob", "players": ["alice", "bob"]},
        {"started": ["alice", "bob"]},
    ]
    came = [
        (b["type"], b["player_id"], b.get("role"))
        for b in (one["body"] for one in said)
        if b.get("type") in ("joined", "left")
    ]
    assert came == [
        ("joined", "alice", None),
        ("joined", "carol", "spectator"),
        ("joined", "bob", None),
        ("left", "carol", "spectator"),
    ]


async def test_a_spectator_sees_what_everybody_sees_and_no_more(house: House) -> None:
    channel, _, carol, invites, _ = await opened(house, bot_preset="AuctionBot")
    bob = house.account()
    await house.rest(bob, "join_channel", invite_code=invites[0])
    sealed = {"channel_id": channel, "body": "bid 37", "to": ["bot:auction"]}
    await house.rest(bob, "post_message", **sealed)
    shown = json.dumps(await everything(house, carol, channel))
    assert "bid 37" not in shown and '"sealed"' in shown and '"worth":' not in shown
    assert '"worth":' in json.dumps(await everything(house, bob, channel))
    info = (await house.rest(carol, "get_channel_info", channel_id=channel)).data["view"]
    assert info["turn"]["yours"] is False
    assert (await house.rest(carol, "get_bot_code", channel_id=channel)).status == 200
    link = (await house.rest(carol, "get_transcript", channel_id=channel)).data["url"]
    file = await house.http.get(urlsplit(link).path)
    with zipfile.ZipFile(io.BytesIO(file.content)) as record:
        held = b"".join(record.read(name) for name in record.namelist())
    assert b"bid 37" not in held and len(held) > 1000


async def test_a_spectator_is_told_to_watch_and_is_refused_all_else(house: House) -> None:
    channel, alice, carol, _, joined = await opened(house, bot_preset="CoinBot")
    for text in (joined, await house.tool(carol, "sync_messages", channel_id=channel)):
        assert text.lines[-1].startswith("next: you watch and do not speak. To see what happens: ")
        assert (called(text.lines[-1]) or ("",))[0] == "sync_messages"
    spoke = await house.rest(carol, "post_message", channel_id=channel, body="heads")
    assert spoke.refused == "BAD_MESSAGE"
    whispered = {"channel_id": channel, "body": "psst", "to": ["carol"]}
    assert (await house.rest(alice, "post_message", **whispered)).refused == "BAD_MESSAGE"
    ops: list[dict[str, Any]] = [
        {"op": "start"},
        {"op": "close"},
        {"op": "rename", "name": "mine"},
        {"op": "accept_change", "terms": "sha256:" + "0" * 64},
    ]
    for op in ops:
        refused = await house.rest(carol, "update_channel", channel_id=channel, ops=[op])
        assert refused.refused == "NOT_ADMIN"
    promoted = [{"op": "set_admin", "player_id": "carol", "admin": True}]
    said = await house.rest(alice, "update_channel", channel_id=channel, ops=promoted)
    assert said.refused == "BAD_OP"


async def test_who_only_watches_takes_no_power_from_the_creator(house: House) -> None:
    channel, alice, _, invites, _ = await opened(house, bot_preset="CoinBot")
    change = [{"op": "set_bot", "bot_id": "auction", "bot_preset": "GuessBot"}]
    assert (await house.rest(alice, "update_channel", channel_id=channel, ops=change)).status == 200
    await house.rest(house.account(), "join_channel", invite_code=invites[0])
    late = await house.rest(alice, "update_channel", channel_id=channel, ops=change)
    assert late.refused == "NOT_ADMIN"


async def test_a_spectators_words_for_the_dice_are_not_used(house: House) -> None:
    alice = house.account()
    room = await house.room(alice, slots=SLOTS, bot_preset="CoinBot", join_as="alice")
    carol = house.account()
    code = {"invite_code": room["invites"][1], "entropy": "x" * 32}
    for _ in range(2):
        assert (await house.rest(carol, "join_channel", **code)).status == 200
    looked = await house.rest(house.account(), "inspect_invite", invite_code=room["invites"][0])
    assert looked.data["dice"]["given"] == []


async def test_a_spectator_may_come_when_the_game_has_begun(house: House) -> None:
    alice = house.account()
    room = await house.room(alice, slots=SLOTS, bot_preset="CoinBot", join_as="alice")
    await house.rest(house.account(), "join_channel", invite_code=room["invites"][0])
    carol = house.account()
    joined = await house.rest(carol, "join_channel", invite_code=room["invites"][1])
    assert joined.data["view"]["status"] == "playing"
    back = await house.rest(
        house.account(), "join_channel", invite_code=joined.data["rejoin_token"]
    )
    assert back.data["player_id"] == "carol"


async def test_a_spectators_place_is_no_place_to_open_a_room_from(house: House) -> None:
    said = await house.rest(
        house.account(), "create_channel", slots=SLOTS, bot_preset="CoinBot", join_as="carol"
    )
    assert said.refused == "INVALID_REQUEST"
