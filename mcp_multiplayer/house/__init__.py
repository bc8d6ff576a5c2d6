"""House players: the server's own program, an opponent for a visitor who is alone, and by playing
the test from end to end that never stops.

It promises to be what everybody sees: it sits only in seats that are called ``house``, says in the
room which program it is and how well it plays, and comes only when somebody hands it an invite. It
is an ordinary client: an account of its own by client credentials, named HOUSE, the REST operations
that anybody has, no rights. Its part of the dice is its own chance.

    proxy ── `invitations.ask` ──▶ DATA_DIR/house.sock ──▶ `rooms` ──▶ `player` (a seat) ──▶ `rest`
                                                                         │
                                                      `game` (what the referee said), `strategies`

On the other side are whoever hands it an invite, and whoever sits in the room: strangers. It plays
only under presets that ship with the server, known by the hash of their text, under the terms that
it has looked at; a referee that merely has the name of one is refused. Of a room it reads what the
referee and the server say and nothing else: no name, no word of a player, so nobody can talk it
into anything (`tests/attacks/test_hostile_invite.py`). Who floods a room delays that room alone.

What can go wrong, and what then:

* It dies in the middle of a move. What it knows is in the logs: it finds its seats again by
  `list_channels`, reads on, and repeats the move under the same key, which posts it once.
* The server or the proxy is away. It asks again, more and more seldom, until they are back.
* The referee refuses a move, or a strategy fails. It takes another, in the end one by chance; after
  some refusals of one move it gives up, and if even that is refused it leaves.
* Nobody goes on. It leaves a game after a quarter of an hour, one that is over after three minutes.

It has no state but its token (``house.json``, 0600) and does nothing while nobody asks. A ``seat``
in the code is a pair of a channel and a label; the house may hold two seats of a room, and so plays
against itself (`soak`).
"""
