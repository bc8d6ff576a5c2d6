"""A server that drops what bob said, after it has told him that it stands in the log."""

from __future__ import annotations

import multiplayer_server
from tests.cheats import history
from tests.cheats.rewritten_word import Rewriting


def install() -> None:
    multiplayer_server.ChannelManager = Dropping  # type: ignore[misc]
    multiplayer_server.SignedHeads = history.Forgetful  # type: ignore[misc]


class Dropping(Rewriting):
    async def again(self, account: str, channel_id: str) -> None:
        """Nothing is said instead."""
