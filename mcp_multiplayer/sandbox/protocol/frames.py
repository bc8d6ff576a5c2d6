"""How host and worker cut a byte stream into messages.

Four bytes of length, then JSON. The length is checked before anything is read, so
neither side can make the other allocate more than its cap.
"""

from __future__ import annotations

import socket
import struct

HEADER = struct.Struct("!I")
#: The largest request: source, state, params and a message, all escaped.
LARGEST_REQUEST = 8 << 20


class BadFrame(Exception):
    """The other side broke the framing, or went away in the middle."""


class TooLong(BadFrame):
    """The other side announced more than is read."""


def pack(*payloads: bytes) -> bytes:
    """A frame for each."""
    return b"".join([part for one in payloads for part in (HEADER.pack(len(one)), one)])


def length(header: bytes, cap: int) -> int:
    """The announced length, or TooLong if it exceeds the cap."""
    (announced,) = HEADER.unpack(header)
    if announced > cap:
        raise TooLong(f"frame of {announced} bytes, at most {cap} are read")
    return int(announced)


def receive(sock: socket.socket, cap: int) -> bytes:
    """Read one frame from a blocking socket."""
    return _exactly(sock, length(_exactly(sock, HEADER.size), cap))


def _exactly(sock: socket.socket, n: int) -> bytes:
    data = bytearray()
    while len(data) < n:
        part = sock.recv(min(n - len(data), 1 << 16))
        if not part:
            raise BadFrame("end of stream")
        data += part
    return bytes(data)
