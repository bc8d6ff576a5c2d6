"""`mcp-multiplayer fairness` from a checkout; see `mcp_multiplayer/workshop/fairness.py`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # where the package is

from mcp_multiplayer.workshop.fairness import start

if __name__ == "__main__":
    start()
