"""What may happen in a room, and nothing about how it happens.

A *command* is what somebody asks. ``decide`` answers with the *events* that follow
from it, or raises the reason why none does. ``evolve`` folds one event into the
state. ``view`` says what of it a given reader may see. No clock, no randomness, no
storage: the manager passes all three in, so the same commands always give the same
log, and a test is a list in and a list out.

    command ──decide(state, command)──▶ events ──evolve(state, event)──▶ state ──view──▶ reader

Read in this order: ``identifiers``, ``events`` (the log's vocabulary) with ``field_types``,
``model``, ``timers``, ``entropy``, ``apply``, ``commands``, ``decide`` (every permission),
``proposals`` (what follows from an op), ``terms``, ``view``, ``erasure``.
"""
