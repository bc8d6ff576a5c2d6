"""What a worker may ask of the host while a hook runs.

Runs in the host. On the other side is a worker that may have fallen to its bot: every
field is checked here as if an enemy had written it, and anything our own worker would
not have sent is `Broken`, which ends that worker (tests/attacks/test_bot_questions.py).
"""

from __future__ import annotations

import base64
import math
import re
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from mcp_multiplayer.sandbox.call import Kind
from mcp_multiplayer.sandbox.hostcalls.dice import AT_ONCE
from mcp_multiplayer.sandbox.hostcalls.http_request import Request
from mcp_multiplayer.sandbox.protocol.values import METHODS, BadValue, plain, read
from mcp_multiplayer.sandbox.protocol.wire import Broken
from mcp_multiplayer.transcript.canonical_json import NotCanonical, canonical

#: A question's first bytes; a result begins otherwise.
MARK = b'{"ask":'
LARGEST_BODY = 1 << 20  #: of one request
LARGEST = 2 * LARGEST_BODY + (64 << 10)
MOST_HEARD = 2 * LARGEST  #: of all questions of a hook
MOST_HEADERS = 100
QUESTIONS = 500  #: of one hook, its draws not counted (`Dice`); our own worker needs no more
LARGEST_PART = 1 << 16  #: of what is received over a connection at once
#: Of authorities that a bot brings, in bytes of PEM, and how many.
LARGEST_AUTHORITIES, MOST_AUTHORITIES = 64 << 10, 32
USUAL = "usual"  #: authorities: those that this server believes
MODE = re.compile(r"[rwax]\+?")


@dataclass(frozen=True)
class Fetch:
    """Make one HTTP request."""

    kind: ClassVar[Kind] = "fetch"
    request: Request
    verify: bool
    seconds: float | None
    blob: bytes


@dataclass(frozen=True)
class Connect:
    """Open a connection; what goes over it is said and heard by the next questions."""

    kind: ClassVar[Kind] = "connect"
    host: str
    port: int
    version: int | None  #: 4 or 6, of the address
    seconds: float | None
    blob: bytes


@dataclass(frozen=True)
class Secure:
    """Speak TLS over a connection from now on."""

    kind: ClassVar[Kind] = "tls"
    connection: int  #: the number of the connection, from 1
    name: str | None  #: of the server that is asked for, and checked
    verify: bool
    check: bool  #: that the certificate is for this name
    authorities: str  #: as PEM, or `USUAL`
    alpn: tuple[str, ...]
    oldest: int | None  #: versions of TLS, by `ssl.TLSVersion`
    newest: int | None
    seconds: float | None
    blob: bytes


@dataclass(frozen=True)
class Send:
    """Send over a connection."""

    kind: ClassVar[Kind] = "send"
    connection: int
    data: bytes
    seconds: float | None
    blob: bytes


@dataclass(frozen=True)
class Receive:
    """Wait for what comes over a connection."""

    kind: ClassVar[Kind] = "receive"
    connection: int
    most: int
    seconds: float | None
    blob: bytes


@dataclass(frozen=True)
class Shut:
    """Send no more over a connection, or hang up."""

    kind: ClassVar[Kind] = "shut"
    connection: int
    all: bool
    blob: bytes


@dataclass(frozen=True)
class Resolve:
    """Look a name up."""

    kind: ClassVar[Kind] = "resolve"
    host: str
    blob: bytes


@dataclass(frozen=True)
class Open:
    """Open a file of the workspace."""

    path: str
    mode: str


@dataclass(frozen=True)
class Draw:
    """Take blocks of the hook's dice."""

    blocks: int


Spoken: TypeAlias = Secure | Send | Receive | Shut
#: Answered by the network, so that their answers are in the record.
Recorded: TypeAlias = Fetch | Resolve | Connect | Spoken
Question: TypeAlias = Recorded | Open | Draw


def read_question(data: bytes) -> Question:
    """The question in a worker's frame, or `Broken`."""
    try:
        asked = plain(read(data), "question")
        kind = asked.pop("ask")
        question: Question = _READERS[kind](asked)
    except (BadValue, NotCanonical, ValueError, TypeError, KeyError, AttributeError) as error:
        raise Broken(f"{type(error).__name__}: {error}") from None
    if asked:
        raise Broken("a question with more fields than it has")
    return question


def _fetch(asked: dict[str, Any]) -> Fetch:
    seconds, blob = _seconds(asked.pop("timeout")), canonical({"k": "fetch", **asked})
    headers = asked.pop("headers")
    _check(isinstance(headers, list) and len(headers) <= MOST_HEADERS, "headers")
    _check(all(isinstance(pair, list) and len(pair) == 2 for pair in headers), "headers")
    body = base64.b64decode(_text(asked.pop("body"), LARGEST), validate=True)
    _check(len(body) <= LARGEST_BODY, "body")
    scheme, method = asked.pop("scheme"), asked.pop("method")
    _check(scheme in ("http", "https") and method in METHODS, "scheme, method")
    request = Request(
        scheme=scheme,
        host=_text(asked.pop("host"), 300),
        port=_port(asked.pop("port")),
        method=method,
        target=_text(asked.pop("target"), 1 << 14),
        headers=tuple((_text(name, 200), _text(value, 1 << 14)) for name, value in headers),
        body=body,
    )
    verify = asked.pop("verify")
    _check(isinstance(verify, bool), "verify")
    return Fetch(request, verify, seconds, blob)


def _connect(asked: dict[str, Any]) -> Connect:
    seconds, blob = _seconds(asked.pop("timeout")), canonical({"k": "connect", **asked})
    version = asked.pop("version")
    _check(version is None or (type(version) is int and version in (4, 6)), "version")
    host, port = _text(asked.pop("host"), 300), _port(asked.pop("port"))
    return Connect(host, port, version, seconds, blob)


def _tls(asked: dict[str, Any]) -> Secure:
    seconds, blob = _seconds(asked.pop("timeout")), canonical({"k": "tls", **asked})
    name, alpn = asked.pop("name"), asked.pop("alpn")
    _check(isinstance(alpn, list) and len(alpn) <= 8, "alpn")
    authorities = _text(asked.pop("authorities"), LARGEST_AUTHORITIES)
    _check(authorities.count("-----BEGIN") <= MOST_AUTHORITIES, "authorities")
    verify, check = asked.pop("verify"), asked.pop("check")
    _check(verify or not authorities, "authorities")
    _check(isinstance(verify, bool) and isinstance(check, bool), "verify, check")
    _check(verify or not check, "check")
    oldest, newest = asked.pop("oldest"), asked.pop("newest")
    _check(all(one is None or type(one) is int for one in (oldest, newest)), "versions")
    return Secure(
        connection=_connection(asked),
        name=None if name is None else _text(name, 300),
        verify=verify,
        check=check,
        authorities=authorities,
        alpn=tuple(_text(one, 255) for one in alpn),
        oldest=oldest,
        newest=newest,
        seconds=seconds,
        blob=blob,
    )


def _send(asked: dict[str, Any]) -> Send:
    seconds, blob = _seconds(asked.pop("timeout")), canonical({"k": "send", **asked})
    data = base64.b64decode(_text(asked.pop("data"), LARGEST), validate=True)
    _check(0 < len(data) <= LARGEST_BODY, "data")
    return Send(_connection(asked), data, seconds, blob)


def _receive(asked: dict[str, Any]) -> Receive:
    seconds, blob = _seconds(asked.pop("timeout")), canonical({"k": "receive", **asked})
    most = asked.pop("most")
    _check(type(most) is int and 0 < most <= LARGEST_PART, "most")
    return Receive(_connection(asked), most, seconds, blob)


def _shut(asked: dict[str, Any]) -> Shut:
    blob = canonical({"k": "shut", **asked})
    everything = asked.pop("all")
    _check(isinstance(everything, bool), "all")
    return Shut(_connection(asked), everything, blob)


def _connection(asked: dict[str, Any]) -> int:
    number = asked.pop("connection")
    _check(type(number) is int and 0 < number <= QUESTIONS, "connection")
    return int(number)


def _resolve(asked: dict[str, Any]) -> Resolve:
    blob = canonical({"k": "resolve", **asked})
    return Resolve(_text(asked.pop("host"), 300), blob)


def _open(asked: dict[str, Any]) -> Open:
    path, mode = _text(asked.pop("path"), 4096), _text(asked.pop("mode"), 2)
    _check(MODE.fullmatch(mode) is not None, "mode")
    return Open(path, mode)


def _draw(asked: dict[str, Any]) -> Draw:
    blocks = asked.pop("blocks")
    _check(type(blocks) is int and 0 < blocks <= AT_ONCE, "blocks")
    return Draw(blocks)


_READERS: dict[str, Any] = {
    "fetch": _fetch,
    "connect": _connect,
    "tls": _tls,
    "send": _send,
    "receive": _receive,
    "shut": _shut,
    "resolve": _resolve,
    "open": _open,
    "draw": _draw,
}


def _check(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(what)


def _text(value: Any, longest: int) -> str:
    _check(isinstance(value, str) and len(value) <= longest, "text")
    return str(value)


def _port(value: Any) -> int:
    _check(type(value) is int and 0 < value <= 65535, "port")
    return int(value)


def _seconds(value: Any) -> float | None:
    if value is None:
        return None
    _check(type(value) in (int, float) and math.isfinite(value) and value >= 0, "timeout")
    return min(float(value), 3600.0)
