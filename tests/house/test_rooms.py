"""Where the house finds itself after a restart."""

from __future__ import annotations

import asyncio
from typing import Any

from mcp_multiplayer.errors import NotMember
from mcp_multiplayer.house.rooms import HousePlayers
from tests.house.harness import Json


class Server:
    """Rooms by id: the name of the referee, or none."""

    def __init__(self, **referees: str | None) -> None:
        self.referees = referees
        self.left: list[Json] = []

    async def call(self, operation: str, **given: Any) -> Json:
        if operation == "list_channels":
            room = ["chn_a", "chn_b", "chn_c", "chn_gone"][int(given["cursor"] or 0)]
            seats = ["house", "house-2"] if room == "chn_a" else ["house"]
            page = {"channels": [{"channel_id": room, "seats": seats}]}
            number = int(given["cursor"] or 0) + 1
            return page | {"more": number < 4, "cursor": str(number)}
        if operation == "leave_channel":
            self.left.append(given)
            return {}
        if given["channel_id"] == "chn_gone":
            raise NotMember("gone")
        if operation == "get_channel_info":
            name = self.referees[given["channel_id"]]
            bots = [{"bot_id": "x", "name": name, "params": {}}] if name else []
            return {"view": {"bots": bots, "status": "playing", "turn": None, "slots": []}}
        await asyncio.Event().wait()
        raise AssertionError


async def test_it_goes_on_in_all_its_seats_and_leaves_what_it_cannot_play() -> None:
    server: Any = Server(chn_a="GuessBot", chn_b="JudgeBot", chn_c=None)
    house = HousePlayers(server, 1)
    await house.resume()
    assert house.seats == [("chn_a", "house"), ("chn_a", "house-2")]
    assert [one["channel_id"] for one in server.left] == ["chn_b", "chn_c"]
    await house.close()
    assert house.seats == []
