"""How code in a worker asks the host for what it cannot do itself.

Runs in the worker, under the libraries that a bot uses. One question, one answer, over the
socket on which the result will go later; a descriptor may come with the answer.
"""

from __future__ import annotations

import _socket
import array
import errno
import http.client
import os
import socket
import ssl
from typing import Any

from mcp_multiplayer.sandbox.jail.confinement import ANSWER_FD
from mcp_multiplayer.sandbox.protocol import frames
from mcp_multiplayer.sandbox.protocol.values import read, text

_SERVICES = {"http": 80, "https": 443}
#: The socket to the host, as an object that takes descriptors.
_line: list[_socket.socket] = []


def begin() -> None:
    """Before a bot runs: its default timeout must not become this socket's."""
    _line.append(_socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, ANSWER_FD))


def demand(kind: str, **fields: Any) -> dict[str, Any]:
    """As `ask`, with failures raised."""
    answer = ask(kind, **fields)
    if "error" in answer:
        raise raised(answer)
    return answer


def ask(kind: str, **fields: Any) -> dict[str, Any]:
    """The host's answer; a descriptor that came along is its ``fd``."""
    sent = memoryview(frames.pack(text({"ask": kind, **fields}).encode()))
    while sent:
        sent = sent[os.write(ANSWER_FD, sent) :]
    header, fds = _header()
    data = bytearray()
    missing = frames.length(header, frames.LARGEST_REQUEST)
    while len(data) < missing:
        part = os.read(ANSWER_FD, missing - len(data))
        if not part:
            os._exit(0)  # the host needs no result any more
        data += part
    answer: dict[str, Any] = read(bytes(data))
    if fds:
        answer["fd"] = fds[0]
    return answer


def blocks(n: int) -> bytes:
    """The next n blocks of the hook's dice: the host has the key, and counts."""
    return bytes.fromhex(demand("draw", blocks=n)["blocks"])


def descriptor(answer: dict[str, Any]) -> int:
    """The descriptor that came along; the kernel drops it when this process has too many."""
    if "fd" not in answer:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    return int(answer["fd"])


def _header() -> tuple[bytes, list[int]]:
    """The length of the answer, and the descriptors that come with its first byte."""
    fds = array.array("i")
    header = b""
    while len(header) < frames.HEADER.size:
        room = frames.HEADER.size - len(header)
        part, extras, _, _ = _line[0].recvmsg(room, socket.CMSG_SPACE(fds.itemsize))
        if not part:
            os._exit(0)
        header += part
        for level, what, data in extras:
            if (level, what) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds.frombytes(data)
    return header, list(fds)


def raised(answer: dict[str, Any]) -> Exception:
    """The exception that Python code expects for a failure; see `network_errors.told`."""
    words, number = answer["text"], answer.get("errno")
    match answer["error"]:
        case "refused":
            return PermissionError(words)
        case "too_long":
            return OSError(errno.EMSGSIZE, words)
        case "garbled":
            return http.client.RemoteDisconnected(words)
        case "name":
            return socket.gaierror(number, words)
        case "timeout":
            return TimeoutError(words)
        case "certificate":
            text = f"[SSL: CERTIFICATE_VERIFY_FAILED] {words}"
            found = ssl.SSLCertVerificationError(1, text)
            found.verify_code, found.verify_message = answer["verify"]
            return found
        case "tls":
            return ssl.SSLError(1, f"[SSL] {words}")
        case _:
            return OSError(number, words)


def patience(seconds: Any) -> float | None:
    """A timeout as the host takes it."""
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds >= 0:
        raise ValueError("Timeout value out of range")
    return min(float(seconds), 3600.0)


def place(address: Any) -> tuple[str, int]:
    """``(host, port)`` as the host takes it."""
    if not isinstance(address, tuple) or len(address) < 2:
        raise PermissionError("bots connect to (host, port), with TCP")
    return host_of(address[0]), port_of(address[1], lowest=1)


def host_of(host: Any) -> str:
    """A host's name or address as text."""
    if isinstance(host, bytes | bytearray):
        host = host.decode("ascii", "replace")
    if not isinstance(host, str) or not host:
        raise PermissionError("a host name is missing: a bot cannot reach its own machine")
    return str.__str__(host)[:300]


def port_of(port: Any, lowest: int = 0) -> int:
    """A port's number; the names of two services are known."""
    if isinstance(port, str):
        port = _SERVICES.get(port) or (int(port) if port.isdecimal() else -1)
    if not isinstance(port, int) or not lowest <= port <= 65535:
        raise OverflowError("port must be 1-65535")
    return int(port)
