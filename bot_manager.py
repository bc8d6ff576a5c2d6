"""BotManager: attaches bots to channels and runs their hooks as they fall due.

Re-exported from `mcp_multiplayer/service/bot_manager.py` for code in a checkout.
"""

from mcp_multiplayer.service.bot_manager import BotManager, BotSpec

__all__ = ["BotManager", "BotSpec"]
