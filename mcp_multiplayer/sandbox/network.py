"""Sockets and names as a bot's libraries meet them.

Runs in the worker, which can make no socket and look up no name: the host connects, and
hands over a descriptor that leads to that one place. This file makes Python's own classes
ask for it where they would call the kernel, and says clearly what is not to be had. It is
no wall; `sandbox/jail.py` is.
"""

from __future__ import annotations

import _socket
import os
import socket
import ssl
from typing import Any, NoReturn

from mcp_multiplayer.sandbox.certificates import believing, usual
from mcp_multiplayer.sandbox.hostcall_client import (
    demand,
    descriptor,
    host_of,
    patience,
    place,
    port_of,
)

#: Where the jail leaves the placeholder, after /dev/null three times and the answer socket.
PLACEHOLDER_FD = 4
_NO_LISTENING = "bots connect to others; nobody can connect to a bot"
_NO_DATAGRAMS = "bots have TCP sockets only (socket.AF_INET or AF_INET6, socket.SOCK_STREAM)"
_NO_NAMES = "addresses have no names here; look up names with socket.getaddrinfo"

#: Descriptors that stand for a bot's socket, with the options set before it was connected.
_options: dict[int, list[tuple[Any, ...]]] = {}
#: One TLS context with the usual authorities in it, made while files can be read.
_prepared: list[ssl.SSLContext] = []
_DEFAULT: Any = socket._GLOBAL_DEFAULT_TIMEOUT  # type: ignore[attr-defined]
_init = socket.socket.__init__
_setsockopt = socket.socket.setsockopt


def placeholder() -> int:
    """An unconnected socket that leads nowhere, made while sockets can still be made.

    A bot's ``socket.socket()`` is a copy of it until the host hands over a connected one.
    The jail moves it to `PLACEHOLDER_FD` and keeps it.
    """
    return _socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).detach()


def be_patient(seconds: float) -> None:
    """Before a bot runs: nothing on a socket lasts longer than the time for the network."""
    socket.setdefaulttimeout(seconds * 0.8)


def refuser(words: str) -> Any:
    """A stand-in for what is not to be had."""

    def refuse(*args: Any, **kwargs: Any) -> NoReturn:
        raise PermissionError(words)

    return refuse


def make_socket(
    self: Any, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None
) -> None:
    """``socket.socket()``: a copy of the placeholder, or a descriptor that is one of these."""
    family = socket.AF_INET if family == -1 else family
    kind = socket.SOCK_STREAM if type == -1 else type & ~(0o4000 | 0o2000000)
    if family not in (socket.AF_INET, socket.AF_INET6) or kind != socket.SOCK_STREAM:
        raise PermissionError(_NO_DATAGRAMS)
    if fileno is None:
        fileno = os.dup(PLACEHOLDER_FD)
        _options[fileno] = []
    elif fileno not in _options:
        raise PermissionError("a bot cannot open a descriptor by its number")
    _init(self, family, kind, max(proto, 0), fileno)


def connect(self: Any, address: Any) -> None:
    """``sock.connect((host, port))``: the host connects, this number then leads there."""
    host, port = place(address)
    answer = demand(
        "connect",
        host=host,
        port=port,
        version=_version(self.family),
        timeout=patience(self.gettimeout()),
    )
    fd = descriptor(answer)
    number = self.fileno()
    os.dup2(fd, number, inheritable=False)
    os.close(fd)
    self.settimeout(self.gettimeout())  # blocking or not belongs to what it leads to
    for option in _options.pop(number, ()):
        _setsockopt(self, *option)
    _options[number] = []


def connect_ex(self: Any, address: Any) -> int:
    """``connect`` with an error number for an answer."""
    try:
        connect(self, address)
    except OSError as error:
        return error.errno or 13
    return 0


def setsockopt(self: Any, *option: Any) -> None:
    """Kept for later while there is no connection: the placeholder is of another kind."""
    try:
        self.getpeername()
    except OSError:
        _options.setdefault(self.fileno(), []).append(option)
    else:
        _setsockopt(self, *option)


def create_connection(
    address: Any, timeout: Any = _DEFAULT, source_address: Any = None, *, all_errors: bool = False
) -> socket.socket:
    """``socket.create_connection``: the host looks the name up and connects, in one step."""
    host, port = place(address)
    seconds = socket.getdefaulttimeout() if timeout is _DEFAULT else timeout
    answer = demand("connect", host=host, port=port, version=None, timeout=patience(seconds))
    family = socket.AF_INET if answer["version"] == 4 else socket.AF_INET6
    fd = descriptor(answer)
    _options[fd] = []
    made = socket.socket(family, socket.SOCK_STREAM, 0, fd)
    made.settimeout(seconds)
    return made


def getaddrinfo(
    host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
) -> list[Any]:
    """``socket.getaddrinfo`` for TCP, by the host's resolver."""
    if type not in (0, socket.SOCK_STREAM):
        raise PermissionError(_NO_DATAGRAMS)
    number = port_of(port or 0)
    wanted = {0: (4, 6), socket.AF_INET: (4,), socket.AF_INET6: (6,)}.get(family, ())
    found: list[Any] = []
    for address in demand("resolve", host=host_of(host))["addresses"]:
        if (6 if ":" in address else 4) in wanted:
            six = ":" in address
            where = (address, number, 0, 0) if six else (address, number)
            kind = socket.AF_INET6 if six else socket.AF_INET
            found.append((kind, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", where))
    if not found:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return found


def gethostbyname(host: Any) -> str:
    """``socket.gethostbyname``, by the host's resolver."""
    return str(getaddrinfo(host, 0, socket.AF_INET)[0][4][0])


def gethostbyname_ex(host: Any) -> tuple[str, list[str], list[str]]:
    """``socket.gethostbyname_ex`` without aliases."""
    return host, [], [entry[4][0] for entry in getaddrinfo(host, 0, socket.AF_INET)]


def create_default_context(
    purpose: Any = ssl.Purpose.SERVER_AUTH,
    *,
    cafile: Any = None,
    capath: Any = None,
    cadata: Any = None,
) -> ssl.SSLContext:
    """``ssl.create_default_context`` without files: the authorities that this server trusts."""
    if cafile or capath:
        raise PermissionError("bots read no certificate files; the usual authorities are loaded")
    if purpose is not ssl.Purpose.SERVER_AUTH:
        raise PermissionError(_NO_LISTENING)
    if cadata:
        return believing(cadata)
    context = _prepared.pop() if _prepared else _prepare()
    extra = demand("roots")["pem"]
    if extra:
        context.load_verify_locations(cadata=extra)
    return context


def _prepare() -> ssl.SSLContext:
    return believing(usual())


def _empty_context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def load_default_certs(self: ssl.SSLContext, purpose: Any = None) -> None:
    """``SSLContext.load_default_certs`` without files."""
    self.load_verify_locations(cadata=usual() + demand("roots")["pem"])


def install() -> None:
    """Put the stand-ins in place, in this process, for good. For the zygote only."""
    _prepared.append(_prepare())
    for name, stand_in in {
        "__init__": make_socket,
        "connect": connect,
        "connect_ex": connect_ex,
        "setsockopt": setsockopt,
        "bind": refuser(_NO_LISTENING),
        "listen": refuser(_NO_LISTENING),
        "accept": refuser(_NO_LISTENING),
        "sendto": refuser(_NO_DATAGRAMS),
        "sendmsg": refuser(_NO_DATAGRAMS),
        "dup": refuser("a bot's socket cannot be copied"),
    }.items():
        setattr(socket.socket, name, stand_in)
    for name, stand_in in {
        "create_connection": create_connection,
        "getaddrinfo": getaddrinfo,
        "gethostbyname": gethostbyname,
        "gethostbyname_ex": gethostbyname_ex,
        "gethostname": lambda: "bot",
        "getfqdn": lambda name="": name or "bot",
        "gethostbyaddr": refuser(_NO_NAMES),
        "getnameinfo": refuser(_NO_NAMES),
        "create_server": refuser(_NO_LISTENING),
        "socketpair": refuser(_NO_DATAGRAMS),
        "fromfd": refuser("a bot cannot open a descriptor by its number"),
    }.items():
        setattr(socket, name, stand_in)
    ssl.create_connection = create_connection  # type: ignore[attr-defined]
    ssl.create_default_context = create_default_context
    # http.client makes one for each connection; the host's is used (sandbox/web.py)
    setattr(ssl, "_create_default_https_context", _empty_context)  # noqa: B010 mypy refuses it
    ssl.SSLContext.load_default_certs = load_default_certs  # type: ignore[method-assign]
    ssl.SSLContext.set_default_verify_paths = load_default_certs  # type: ignore[method-assign]


def _version(family: int) -> int:
    return 6 if family == socket.AF_INET6 else 4
