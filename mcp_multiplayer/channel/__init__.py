"""What may happen in a room, and nothing about how it happens.

A *command* is what somebody asks. ``decide`` answers with the *events* that follow
from it, or raises the reason why none does. ``evolve`` folds one event into the
state. ``views`` says what of it a given reader may see. No clock, no randomness, no
storage: the manager passes all three in, so the same commands always give the same
log, and a test is a list in and a list out.

    command ──decide(state, command)──▶ events ──evolve(state, event)──▶ state ──views──▶ reader

Read in this order: ``names``, ``events`` (the log's vocabulary), ``state``, ``timers``, ``dice``,
``evolve``, ``commands``, ``rules`` (every permission), ``changes`` (what follows from an op),
``terms``, ``views``.
"""
