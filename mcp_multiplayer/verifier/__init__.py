"""Checks what happened in a room, offline, from the file that a member keeps of it.

It runs on a member's own machine, without network or account, on a record and code of
strangers: nothing in them is believed, and what is executed is jailed.

Read in this order: ``check`` (from file to verdict), ``record`` and ``leaves`` (bytes to entries),
``walk`` with ``asked`` and ``legal`` (whether the rules could have written it), ``referees`` and
``compare`` (every hook again), ``replay``, ``home``, ``child`` and ``walls`` (how that is done in
safety), ``heads``, ``chance``, ``consent``, ``deeds``, ``late`` and ``shown`` (what else a verdict
needs), ``verdict``, ``report``.
"""
