"""Runs proxy and server and says how to use them: `python start_servers.py`.

The program is `mcp_multiplayer/start_servers.py`.
"""

import sys
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036 - by hand it may be started with any Python
    sys.exit("MCP Multiplayer needs Python 3.11 or newer. Run scripts/start instead.")
try:
    from mcp_multiplayer.start_servers import main
except ModuleNotFoundError as missing:
    sys.exit(f"The Python package {missing.name} is missing here. Run scripts/start instead.")

if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent))
