"""Sockets, TLS and names as a bot's libraries meet them.

Runs in the worker, which can make no socket and look up no name: the host connects, says and hears
for it (`sandbox/hostcalls/connections.py`). This file makes Python's own classes ask for it where
they would call the kernel or OpenSSL, and says clearly what is not to be had. It is no wall;
`sandbox/jail/confinement.py` is.
"""

from __future__ import annotations

import _socket
import base64
import contextlib
import errno
import os
import socket
import ssl
import weakref
from dataclasses import dataclass, field
from typing import Any, NoReturn

from mcp_multiplayer.sandbox.hostcalls.certificates import usual
from mcp_multiplayer.sandbox.jail.confinement import PLACEHOLDER_FD
from mcp_multiplayer.sandbox.protocol.hostcalls import LARGEST_PART, USUAL
from mcp_multiplayer.sandbox.worker.hostcall_client import (
    demand,
    host_of,
    patience,
    place,
    port_of,
)

_PATIENCE = 4.0
_NO_LISTENING = "bots connect to others; nobody can connect to a bot"
_NO_DATAGRAMS = "bots have TCP sockets only (socket.AF_INET or AF_INET6, socket.SOCK_STREAM)"
_NO_NAMES = "addresses have no names here; look up names with socket.getaddrinfo"


@dataclass
class _Way:
    """Where a bot's socket leads: the host's number of the connection, and the peer."""

    connection: int
    peer: tuple[Any, ...]
    ahead: bytearray = field(default_factory=bytearray)  #: looked at and not taken


#: Descriptors that stand for a bot's sockets, with the options that were set.
_options: dict[int, dict[tuple[int, int], Any]] = {}
#: Those that are connected.
_ways: dict[int, _Way] = {}
#: What was set of a context that a host has to know; of which authorities it was made.
_wishes: weakref.WeakKeyDictionary[ssl.SSLContext, dict[str, Any]] = weakref.WeakKeyDictionary()
#: What a bot has of a TLS context, and what is needed here to make one.
_OF_CONTEXTS = (
    *("check_hostname", "verify_mode", "minimum_version", "maximum_version", "protocol"),
    *("set_alpn_protocols", "wrap_socket", "load_default_certs", "set_default_verify_paths"),
    *("load_verify_locations", "load_cert_chain", "keylog_filename"),
    *("sslobject_class", "sslsocket_class", "post_handshake_auth"),
)
_DEFAULT: Any = socket._GLOBAL_DEFAULT_TIMEOUT  # type: ignore[attr-defined]
_init = socket.socket.__init__


def placeholder() -> int:
    """An unconnected socket that leads nowhere, made while sockets can still be made.

    A bot's ``socket.socket()`` is a copy of it, a number and no more. The jail moves it to
    `PLACEHOLDER_FD` and keeps it.
    """
    return _socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).detach()


def be_patient() -> None:
    """Before a bot runs: nothing on a socket lasts longer than the time for the network. A bot can
    read this, so it is the same wherever a hook runs, whatever seconds it has there."""
    socket.setdefaulttimeout(_PATIENCE)


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
        _options[fileno] = {}
        _ways.pop(fileno, None)  # of one that was forgotten without a close
    elif fileno not in _options:
        raise PermissionError("a bot cannot open a descriptor by its number")
    _init(self, family, kind, max(proto, 0), fileno)


def connect(self: Any, address: Any) -> None:
    """``sock.connect((host, port))``: the host connects."""
    if self.fileno() in _ways:
        raise OSError(errno.EISCONN, os.strerror(errno.EISCONN))
    _lead(self, *place(address), _version(self.family), self.gettimeout())


def _lead(sock: Any, host: str, port: int, version: int | None, seconds: Any) -> None:
    """Have the host connect, and the socket stand for that."""
    told = demand("connect", host=host, port=port, version=version, timeout=patience(seconds))
    where = (told["address"], told["port"])
    peer = where if told["version"] == 4 else (*where, 0, 0)
    _ways[sock.fileno()] = _Way(told["connection"], peer)


def connect_ex(self: Any, address: Any) -> int:
    """``connect`` with an error number for an answer."""
    try:
        self.connect(address)
    except OSError as error:
        return error.errno or 13
    return 0


def create_connection(
    address: Any, timeout: Any = _DEFAULT, source_address: Any = None, *, all_errors: bool = False
) -> socket.socket:
    """``socket.create_connection``: the host looks the name up and connects, in one step."""
    host, port = place(address)
    seconds = socket.getdefaulttimeout() if timeout is _DEFAULT else timeout
    made = socket.socket()
    _lead(made, host, port, None, seconds)
    if len(_ways[made.fileno()].peer) == 4:
        made = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, 0, made.detach())
    made.settimeout(seconds)
    return made


# --- what goes over it -----------------------------------------------------------------------


def _way(sock: Any) -> _Way:
    found = _ways.get(sock.fileno())
    if found is None:
        raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
    return found


def _spoken(sock: Any, kind: str, **fields: Any) -> dict[str, Any]:
    """Ask the host, for as long as this socket waits."""
    seconds = sock.gettimeout()
    try:
        return demand(kind, connection=_way(sock).connection, timeout=patience(seconds), **fields)
    except TimeoutError:
        if seconds == 0:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from None
        raise TimeoutError("timed out") from None


def _unflagged(flags: int, *allowed: int) -> None:
    if flags not in (0, *allowed):
        raise PermissionError("bots send and receive without flags")


def send(self: Any, data: Any, flags: int = 0) -> int:
    """``sock.send``: all of it, always."""
    sendall(self, data, flags)
    return memoryview(data).nbytes


def sendall(self: Any, data: Any, flags: int = 0) -> None:
    """``sock.sendall``"""
    _unflagged(flags)
    _way(self)
    whole = bytes(memoryview(data).cast("B"))
    for at in range(0, len(whole), 8 * LARGEST_PART):
        part = whole[at : at + 8 * LARGEST_PART]
        _spoken(self, "send", data=base64.b64encode(part).decode())


def recv(self: Any, bufsize: int, flags: int = 0) -> bytes:
    """``sock.recv``"""
    _unflagged(flags, socket.MSG_PEEK)
    way = _way(self)
    if bufsize < 0:
        raise ValueError("negative buffersize in recv")
    if bufsize and not way.ahead:
        told = _spoken(self, "receive", most=min(bufsize, LARGEST_PART))
        way.ahead += base64.b64decode(told["data"])
    data = bytes(way.ahead[:bufsize])
    if not flags:
        del way.ahead[:bufsize]
    return data


def recv_into(self: Any, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
    """``sock.recv_into``"""
    view = memoryview(buffer).cast("B")
    data = recv(self, nbytes or len(view), flags)
    view[: len(data)] = data
    return len(data)


def recvfrom(self: Any, bufsize: int, flags: int = 0) -> tuple[bytes, None]:
    """``sock.recvfrom``; over TCP it names nobody."""
    return recv(self, bufsize, flags), None


def shutdown(self: Any, how: int) -> None:
    """``sock.shutdown``: for writing, or altogether."""
    connection = _way(self).connection
    if how in (socket.SHUT_WR, socket.SHUT_RDWR):
        demand("shut", connection=connection, all=how == socket.SHUT_RDWR)


def close(self: Any, _ss: Any = _socket.socket) -> None:
    """What ``sock.close`` does when no file of it is open any more."""
    way = _ways.pop(self.fileno(), None)
    if way is not None:
        with contextlib.suppress(OSError):  # the host may say no more of it
            demand("shut", connection=way.connection, all=True)
    _options.pop(self.fileno(), None)
    _ss.close(self)


def getpeername(self: Any) -> tuple[Any, ...]:
    """``sock.getpeername``"""
    return _way(self).peer


def getsockname(self: Any) -> tuple[Any, ...]:
    """``sock.getsockname``: the host's own end is nobody's business."""
    return ("::", 0, 0, 0) if self.family == socket.AF_INET6 else ("0.0.0.0", 0)


def setsockopt(self: Any, level: int, option: int, *value: Any) -> None:
    """``sock.setsockopt``: kept, and without effect."""
    _options.setdefault(self.fileno(), {})[level, option] = value[0] if value else None


def getsockopt(self: Any, level: int, option: int, *_: Any) -> Any:
    """``sock.getsockopt``: what was set."""
    return _options.get(self.fileno(), {}).get((level, option), 0)


# --- names -----------------------------------------------------------------------------------


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


# --- TLS -------------------------------------------------------------------------------------


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
    context = _empty_context()
    if cadata:
        context.load_verify_locations(cadata=cadata)  # raises for what is none
        _wishes[context] = {"authorities": _pem(cadata)}
    else:
        load_default_certs(context)
    return context


def _pem(cadata: Any) -> str:
    return cadata if isinstance(cadata, str) else ssl.DER_cert_to_PEM_cert(bytes(cadata))


def _empty_context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def load_default_certs(self: ssl.SSLContext, purpose: Any = None) -> None:
    """``SSLContext.load_default_certs``: believe whom the server believes."""
    _wishes.setdefault(self, {})["authorities"] = USUAL


def _noted(name: str, usual: ssl.TLSVersion) -> Any:
    """A property of contexts that the host is told once it is set; what it is before depends on
    the machine, so a bot reads ``usual``."""
    real: Any = getattr(ssl.SSLContext, name)

    def get(self: ssl.SSLContext) -> ssl.TLSVersion:
        return ssl.TLSVersion(_wishes.get(self, {}).get(name, usual))

    def put(self: ssl.SSLContext, value: Any) -> None:
        real.fset(self, value)
        _wishes.setdefault(self, {})[name] = int(value)

    return property(get, put)


def _lacking(name: str) -> Any:
    """An attribute of contexts that bots do not have: it tells of this machine's OpenSSL, or asks
    for what the host would not do."""

    def get(self: Any) -> NoReturn:
        raise AttributeError(f"'SSLContext' has no attribute {name!r} for bots")

    return property(get)


_set_alpn_protocols = ssl.SSLContext.set_alpn_protocols


def set_alpn_protocols(self: ssl.SSLContext, alpn_protocols: Any) -> None:
    """``SSLContext.set_alpn_protocols``"""
    names = [str(name) for name in alpn_protocols]
    _set_alpn_protocols(self, names)
    _wishes.setdefault(self, {})["alpn"] = names


def wrap_socket(
    self: ssl.SSLContext,
    sock: Any,
    server_side: bool = False,
    do_handshake_on_connect: bool = True,
    suppress_ragged_eofs: bool = True,
    server_hostname: Any = None,
    session: Any = None,
) -> TlsSocket:
    """``SSLContext.wrap_socket``: the host speaks TLS for it."""
    if server_side:
        raise PermissionError(_NO_LISTENING)
    if self.check_hostname and not server_hostname:
        raise ValueError("check_hostname requires server_hostname")
    if not isinstance(sock, socket.socket) or isinstance(sock, TlsSocket):
        raise TypeError("wrap_socket takes a plain socket")
    seconds, at_once = sock.gettimeout(), do_handshake_on_connect and sock.fileno() in _ways
    made = TlsSocket(sock.family, sock.type, sock.proto, sock.detach())
    made.settimeout(seconds)
    made.context, made.server_hostname = self, server_hostname
    made.waits = do_handshake_on_connect
    if at_once:
        try:
            made.do_handshake()
        except BaseException:
            made.close()
            raise
    return made


class TlsSocket(socket.socket):
    """What ``wrap_socket`` makes."""

    context: ssl.SSLContext
    server_hostname: str | None = None
    waits = True  #: the handshake is made on connecting
    session = None
    session_reused = False
    server_side = False
    _told: dict[str, Any] | None = None

    def connect(self, address: Any) -> None:
        """As of a socket, and shake hands."""
        connect(self, address)
        if self.waits:
            self.do_handshake()

    def do_handshake(self, block: bool = False) -> None:
        """Have the host speak TLS from now on."""
        context, name = self.context, self.server_hostname
        wishes = _wishes.get(context, {})
        verify = context.verify_mode != ssl.CERT_NONE
        self._told = _spoken(
            self,
            "tls",
            name=None if name is None else host_of(name),
            verify=verify,
            check=bool(context.check_hostname),
            authorities=wishes.get("authorities", "") if verify else "",
            alpn=wishes.get("alpn", []),
            oldest=wishes.get("minimum_version"),
            newest=wishes.get("maximum_version"),
        )

    def _fact(self, name: str) -> Any:
        if self._told is None:
            raise ValueError("handshake not done yet")
        return self._told[name]

    def getpeercert(self, binary_form: bool = False) -> Any:
        """The peer's certificate: as DER, or taken apart if it was verified."""
        if not binary_form:
            return {name: _tuples(value) for name, value in self._fact("peer").items()}
        chain = self.get_unverified_chain()
        return chain[0] if chain else None

    def get_verified_chain(self) -> list[bytes]:
        """The certificates up to the authority, as DER."""
        return self.get_unverified_chain() if self._fact("peer") else []

    def get_unverified_chain(self) -> list[bytes]:
        """The certificates that the peer showed, as DER."""
        return [base64.b64decode(der) for der in self._fact("chain")]

    def version(self) -> str | None:
        """Such as TLSv1.3"""
        return None if self._told is None else self._told["protocol"]

    def cipher(self) -> Any:
        """Its name, protocol and bits."""
        return None if self._told is None else _tuples(self._told["cipher"])

    def selected_alpn_protocol(self) -> str | None:
        """The protocol that both sides took."""
        return None if self._told is None else self._told["alpn"]

    def read(self, len: int = 1024, buffer: Any = None) -> Any:
        """As ``recv``, or ``recv_into``."""
        return recv(self, len) if buffer is None else recv_into(self, buffer, len)

    def write(self, data: Any) -> int:
        """As ``send``."""
        return send(self, data)

    def pending(self) -> int:
        """Bytes that are here already."""
        return len(_way(self).ahead)

    def unwrap(self) -> NoReturn:
        """Not to be had: the host would have to speak two languages over one connection."""
        raise PermissionError("a bot's connection stays encrypted to its end")


def _tuples(value: Any) -> Any:
    """As ``ssl`` has it: tuples where JSON has lists."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def install() -> None:
    """Put the stand-ins in place, in this process, for good. For the zygote only."""
    usual()  # while files can be read
    for name, stand_in in {
        "__init__": make_socket,
        "connect": connect,
        "connect_ex": connect_ex,
        "send": send,
        "sendall": sendall,
        "recv": recv,
        "recv_into": recv_into,
        "recvfrom": recvfrom,
        "shutdown": shutdown,
        "_real_close": close,
        "getpeername": getpeername,
        "getsockname": getsockname,
        "setsockopt": setsockopt,
        "getsockopt": getsockopt,
        "bind": refuser(_NO_LISTENING),
        "listen": refuser(_NO_LISTENING),
        "accept": refuser(_NO_LISTENING),
        "sendto": refuser(_NO_DATAGRAMS),
        **dict.fromkeys(
            ("sendmsg", "sendmsg_afalg", "recvmsg", "recvmsg_into", "recvfrom_into", "sendfile"),
            refuser(_NO_DATAGRAMS),
        ),
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
    # http.client makes one for each connection; the host's is used (sandbox/worker/web.py)
    setattr(ssl, "_create_default_https_context", _empty_context)  # noqa: B010 mypy refuses it
    setattr(ssl.SSLContext, "wrap_socket", wrap_socket)  # noqa: B010
    setattr(ssl.SSLContext, "set_alpn_protocols", set_alpn_protocols)  # noqa: B010
    versions = ssl.TLSVersion
    setattr(ssl.SSLContext, "minimum_version", _noted("minimum_version", versions.TLSv1_2))  # noqa: B010
    setattr(ssl.SSLContext, "maximum_version", _noted("maximum_version", versions.TLSv1_3))  # noqa: B010
    for name in dir(ssl.SSLContext):
        if not name.startswith("_") and name not in _OF_CONTEXTS:
            setattr(ssl.SSLContext, name, _lacking(name))
    ssl.SSLContext.load_default_certs = load_default_certs  # type: ignore[method-assign]
    ssl.SSLContext.set_default_verify_paths = load_default_certs  # type: ignore[method-assign]


def _version(family: int) -> int:
    return 6 if family == socket.AF_INET6 else 4
