"""A server that says its hooks run on a Python that nobody has, and draws from dice of its own."""

from __future__ import annotations

from engine import custody
from tests.cheats import other_dice


def install() -> None:
    other_dice.install()
    vars(custody)["runtime"] = lambda: "cpython-3.99.0+00000000/mpx-1"
