"""uvicorn's HTTP parser with a limit on headers. Changes when uvicorn gets one of its own.

On the other side is anybody: a header that never ends may not fill the memory of the one
door to the internet (`tests/attacks/test_endless_header.py`). h11 has such a limit and costs
several times the CPU.
"""

from __future__ import annotations

from edge.corked import CorkedProtocol

#: What may have come without a header's end. One read of the socket may exceed it.
MAX_HEAD = 64 * 1024

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)


class BoundedProtocol(CorkedProtocol):
    """Ends a connection whose request line and headers do not end."""

    _head = 0
    _in_head = True

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._in_head:
            return
        self._head += len(data)
        if self._head > MAX_HEAD and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        self._head = 0
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()
