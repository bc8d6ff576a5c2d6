"""Process 1, :8100: sign-in and the way to the server. `python oauth_proxy.py` runs it alone.

The program is `mcp_multiplayer/oauth_proxy.py`.
"""

from mcp_multiplayer.oauth_proxy import run

if __name__ == "__main__":
    run()
