"""Process 2, :8201: the channels. `python multiplayer_server.py` runs it alone.

The program is `mcp_multiplayer/multiplayer_server.py`.
"""

from mcp_multiplayer.multiplayer_server import run

if __name__ == "__main__":
    run()
