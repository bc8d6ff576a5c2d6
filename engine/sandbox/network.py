"""The network as a referee meets it: every connection is refused in this version.

Changes when connections go through the host. The worker cannot open a descriptor at
all (`engine/sandbox/jail.py`); this file only makes the refusal a clear exception at
the place where Python code would first notice.
"""

from __future__ import annotations

import socket
import urllib.request
from typing import Any, NoReturn

WORDS = "connections are refused in this version"


def refuse(*args: Any, **kwargs: Any) -> NoReturn:
    """Stand in for whatever would reach the network."""
    raise PermissionError(WORDS)


def close_network() -> None:
    """Replace, in this process, every way to a socket. For the worker only."""
    socket.socket.__init__ = refuse  # type: ignore[method-assign]
    for name in ("create_connection", "create_server", "socketpair", "fromfd", "getaddrinfo",
                 "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getnameinfo"):  # fmt: skip
        setattr(socket, name, refuse)


def urlopen(url: Any, data: Any = None, timeout: float = 5.0, *, context: Any = None) -> Any:
    """``urllib.request.urlopen`` for http and https; other schemes would read files."""
    text = url if isinstance(url, str) else url.full_url
    if not str(text).lower().startswith(("http://", "https://")):
        raise ValueError("urlopen opens http and https addresses only")
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=context),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
    ):
        opener.add_handler(handler)
    return opener.open(url, data, timeout)
