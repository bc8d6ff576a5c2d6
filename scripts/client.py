"""What the scripts share: the client of `mcp_multiplayer/client.py`, found in this checkout."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # a script finds only what lies beside it

from mcp_multiplayer.client import *  # noqa: E402, F403
