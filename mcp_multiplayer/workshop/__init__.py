"""For authors of bots: the sandbox without a server.

``run_bot`` plays a bot on a script or line by line, ``fairness`` plays it against itself, ``table``
is the least that a host does.
"""
