"""ChannelManager: every way in which a channel is changed or read.

Re-exported from `mcp_multiplayer/service/channel_manager.py` for code in a checkout.
"""

from mcp_multiplayer.service.channel_manager import ChannelManager

__all__ = ["ChannelManager"]
