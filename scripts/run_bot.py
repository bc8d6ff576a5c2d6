"""`mcp-multiplayer run-bot` from a checkout; see `mcp_multiplayer/workshop/run_bot.py`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # where the package is

from mcp_multiplayer.workshop.run_bot import start

if __name__ == "__main__":
    start()
