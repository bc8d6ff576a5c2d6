"""How fast it is, as ratios to a FastMCP server that does nothing.

Everything runs on this machine: the real pair of processes, a bare FastMCP server beside
it, and one client that drives both in the same run. Absolute figures belong to a machine;
ratios travel. `README.md` says how to read them.

Read in this order: ``wire`` (one connection), ``eras`` (what a request looks like),
``servers`` (the processes), ``rooms`` (accounts and seats), ``load`` (how calls are made
and timed), then the scenarios: ``posting``, ``history``, ``delivery``, ``idle``. `stores`
measures the store alone, `hooks` what a bot's hook costs behind its walls.
"""
