"""`mcp-multiplayer demo`: an honest server, then cheating ones, and what the verifier says.

Each server is a real pair of processes.
The cheating servers are the product with one piece replaced from outside; the product has no
switch for any of it.
"""
