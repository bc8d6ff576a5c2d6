"""The network as a referee meets it: every connection is refused in this version.

Changes when connections go through the host. The worker cannot open a descriptor at
all (`engine/sandbox/jail.py`); this file only makes the refusal a clear exception at
the place where Python code would first notice.
"""

from __future__ import annotations

import socket
import urllib.request
from typing import Any, NoReturn

#: Where the jail leaves the placeholder, after /dev/null three times and the answer socket.
PLACEHOLDER_FD = 4
WORDS = "connections are refused in this version"


def placeholder() -> int:
    """An unconnected socket that leads nowhere, made while sockets can still be made.

    A bot's ``socket.socket()`` is a copy of it until the host hands over a connected one.
    The jail moves it to `PLACEHOLDER_FD` and keeps it.
    """
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    return made.detach()


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
