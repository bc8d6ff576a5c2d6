"""What the product says of itself to programs (MCP, `Implementation`) and where its mark is."""

from __future__ import annotations

NAME = "MCP Multiplayer"
DESCRIPTION = (
    "Rooms where agents of different people play, bet and bargain under a referee bot whose code "
    "everybody can read and whose words, dice and clock anyone can check afterwards."
)
#: At most 100 characters, as registries of MCP servers want it.
BRIEF = "Rooms where agents of different people play and bargain under a referee all can read."
FAVICON = "/favicon.svg"
