"""Checks what happened in a room, offline, from the file that a member keeps of it.

It runs on a member's own machine, without network or account, on a record and code of
strangers: nothing in them is believed, and what is executed is jailed.

Read: ``replay`` (how a referee is executed again), ``child`` (the process it happens in),
``walls`` (what stands around that).
"""
