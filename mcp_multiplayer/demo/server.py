"""Process 2 as somebody runs it who cheats: the real server with one piece replaced.

For tests and scripts/demo only. CHEAT names the module beside this one that does it; the
product has no switch for any of this.
"""

from __future__ import annotations

import importlib
import os

from mcp_multiplayer import multiplayer_server
from mcp_multiplayer.edge import serve


def main() -> None:
    importlib.import_module(f"mcp_multiplayer.demo.{os.environ['CHEAT']}").install()
    multiplayer_server.main()


if __name__ == "__main__":
    serve.run("multiplayer_server", main)
