"""Process 2 as somebody runs it who cheats: the real server with one piece replaced.

For tests and scripts/demo only. CHEAT names the module beside this one that does it; the
product has no switch for any of this. Changes when a server is started otherwise.
"""

from __future__ import annotations

import importlib
import os

import multiplayer_server
from edge import process


def main() -> None:
    importlib.import_module(f"tests.cheats.{os.environ['CHEAT']}").install()
    multiplayer_server.main()


if __name__ == "__main__":
    process.run("multiplayer_server", main)
