"""A server that says its hooks run on a Python that nobody has, and draws from dice of its own."""

from __future__ import annotations

from mcp_multiplayer.demo import other_dice
from mcp_multiplayer.service import signing


def install() -> None:
    other_dice.install()
    vars(signing)["runtime"] = lambda: "cpython-3.99.0+00000000/mpx-1"
