"""Checks what happened in a room, offline, from the file that a member keeps of it.

It runs on a member's own machine, without network or account, on a record and code of
strangers: nothing in them is believed, and what is executed is jailed.

Read in this order: ``check`` (from file to verdict), ``archive`` and ``parse_log`` (bytes to
entries), ``replay_log`` with ``logged_command`` and ``rules_check`` (whether the rules have written
it), ``reexecute`` and ``compare`` (every hook again), ``executor`` and ``replay`` (how that is done
in safety), ``heads``, ``check_dice``, ``check_timers``, ``terms_check``, ``attributed_actions`` and
``check_shown`` (what else a verdict needs), ``verdict``, ``report``.
"""
