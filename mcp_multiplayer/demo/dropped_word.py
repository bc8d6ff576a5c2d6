"""A server that drops what bob said, after it has told him that it stands in the log."""

from __future__ import annotations

from mcp_multiplayer.demo import builds, history
from mcp_multiplayer.demo.rewritten_word import Rewriting


def install() -> None:
    builds.replace(ChannelManager=Dropping, RollbackGuard=history.Forgetful)


class Dropping(Rewriting):
    async def again(self, account: str, channel_id: str) -> None:
        """Nothing is said instead."""
