"""What a test of a client needs besides: somebody to play with, and where a text has come to."""

from __future__ import annotations

import re

from tests.players import Rest

WAIT_MS = 45_000


def cursor_in(text: str) -> int:
    found = re.findall(r"cursor=(\d+)", text)
    assert found, text
    return int(found[-1])


async def moved(bob: Rest, room: str) -> None:
    """Bob guesses as soon as it is his turn."""
    asked = {"channel_id": room, "until": "my_turn", "timeout_ms": WAIT_MS}
    read = await bob.call("sync_messages", **asked)
    while not (read["view"]["turn"] or {}).get("yours"):  # others have spoken, or it has not begun
        read = await bob.call("sync_messages", **asked, cursor=read["cursor"])
    await bob.call("post_message", channel_id=room, body="guess 2")
