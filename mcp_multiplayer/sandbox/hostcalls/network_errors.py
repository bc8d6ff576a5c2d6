"""How a failure of the network is told to a worker.

The host names the failure; `raised` of `sandbox/worker/hostcall_client.py` is the other half, and
raises what Python code expects at that place.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
from typing import Any

from mcp_multiplayer.sandbox.hostcalls.dialer import Refused


class TooLong(OSError):
    """The server's answer is longer than a bot may have."""


class Garbled(OSError):
    """One of the two sides does not speak HTTP/1.1."""


def told(error: Exception, *, connected: bool) -> dict[str, Any]:
    """A failure as JSON. ``connected``: it happened after the connection stood."""
    number: int | None = None
    text = str(error)
    match error:
        case Refused():
            kind = "refused"
        case TooLong():
            kind = "too_long"
        case Garbled():
            kind = "garbled"
        case socket.gaierror():
            kind, number, text = "name", error.errno, error.strerror or "Name or service not known"
        case TimeoutError():
            kind, text = "timeout", text or "timed out"
        case ssl.SSLCertVerificationError():
            kind, text = "certificate", f"certificate verify failed: {error.verify_message}"
        case ssl.SSLError():
            kind, text = "tls", error.reason or text
        case OSError():
            kind, number = "system", error.errno or errno.ECONNRESET
            text = os.strerror(number)
        case _:
            kind, text = "refused", "the host or the request cannot be used"
    answer: dict[str, Any] = {"error": kind, "text": text[:500], "connected": connected}
    if number is not None:
        answer["errno"] = number
    return answer | _verification(error)


def _verification(error: Exception) -> dict[str, Any]:
    """What a bot may read of a certificate's fault."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        return {}
    return {"verify": [error.verify_code, error.verify_message]}
