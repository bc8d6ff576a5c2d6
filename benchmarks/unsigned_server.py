"""multiplayer_server.py without signatures: the reference of what they cost (`proof`)."""

from __future__ import annotations

from mcp_multiplayer import multiplayer_server
from mcp_multiplayer.edge import serve
from mcp_multiplayer.service.replica import Replica, SignedHead
from mcp_multiplayer.service.signing import Signing


def unsigned(custody: Signing, room: Replica) -> SignedHead:
    return SignedHead(room.settled_head.size, room.settled_head.root)


if __name__ == "__main__":
    setattr(Signing, "head", unsigned)  # noqa: B010  to a type checker a method stays what it is
    serve.run("unsigned_server", multiplayer_server.main)
