"""What the servers that cheat know of the players' plans."""

LOW, HIGH = 1, 100_000
ALICES_NUMBER = 31_415  #: what alice guesses first
BOBS_NUMBER = 62_831
INSTEAD = 1  #: what bob is made to have guessed
SAID, SHOWN = "you owe me 10", "you owe me 100"  #: alice's words after the game, and bob's copy
