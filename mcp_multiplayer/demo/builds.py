"""How a test's build of the server differs from the product's: one name means something else."""

from __future__ import annotations

from mcp_multiplayer import multiplayer_server


def replace(**pieces: type) -> None:
    """Have `multiplayer_server` put its parts together with these instead of its own."""
    for name, piece in pieces.items():
        assert issubclass(piece, getattr(multiplayer_server, name))
        setattr(multiplayer_server, name, piece)
