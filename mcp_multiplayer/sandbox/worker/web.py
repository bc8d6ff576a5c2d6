"""HTTP as a bot's libraries meet it: the host makes each request.

Runs in the worker. `requests`, `urllib3`, `urllib.request` and `http.client` all end in one
class that writes a request to a socket and reads the answer from it; here that socket is an
object that collects what is written, and asks the host for the answer. Redirects, cookies
and encodings stay with the libraries, unmodified.
"""

from __future__ import annotations

import base64
import http.client
import io
import socket
import ssl
import urllib.request
from typing import Any

from mcp_multiplayer.sandbox.protocol.values import METHODS
from mcp_multiplayer.sandbox.worker.hostcall_client import ask, patience, place, raised

LARGEST_BODY = 1 << 20
_LARGEST_HEAD, _MOST_HEADERS = 64 << 10, 100
_TOO_MUCH = f"a bot may send {LARGEST_BODY >> 10} KB in one hook, no more"
_NO_PROXIES = "bots use no proxies; the server connects for them"
_NO_FILES = "bots have no certificate files; verify takes True or False, cert nothing"


class Exchange:
    """Stands where http.client has a socket."""

    def __init__(self, connection: Any, scheme: str, verify: bool) -> None:
        self._connection = connection
        self._scheme = scheme
        self._verify = verify
        self._timeout: Any = connection.timeout
        self._sent = bytearray()

    def sendall(self, data: Any) -> None:
        """Collect a part of the request."""
        if len(self._sent) + len(data) > LARGEST_BODY + _LARGEST_HEAD:
            raise PermissionError(_TOO_MUCH)
        self._sent += data

    def settimeout(self, timeout: Any) -> None:
        """For the request to come."""
        self._timeout = timeout

    def makefile(self, mode: str, *args: Any, **kwargs: Any) -> io.BytesIO:
        """Have the request made; the answer as http.client parses it."""
        sent, self._sent = bytes(self._sent), bytearray()
        method, target, headers, body = _taken_apart(sent)
        connection = self._connection
        host, port = place((getattr(connection, "_dns_host", connection.host), connection.port))
        answer = ask(
            "fetch",
            scheme=self._scheme,
            host=host,
            port=port,
            method=method,
            target=target,
            headers=headers,
            body=base64.b64encode(body).decode(),
            verify=self._verify,
            timeout=patience(self._timeout if isinstance(self._timeout, int | float) else None),
        )
        if "error" in answer:
            raise _failure(connection, answer)
        return io.BytesIO(_put_together(answer))

    def getpeercert(self, binary_form: bool = False) -> Any:
        """The server's certificate, as another connection of the bot's own finds it."""
        if self._scheme != "https":
            raise AttributeError("this connection is not encrypted")
        host, port = place((self._connection.host, self._connection.port))
        context = ssl.create_default_context()
        with (
            socket.create_connection((host, port), self._timeout) as raw,
            context.wrap_socket(raw, server_hostname=host) as encrypted,
        ):
            return encrypted.getpeercert(binary_form)

    def setsockopt(self, *option: Any) -> None:
        """There is nothing to set."""

    def shutdown(self, how: int) -> None:
        """The host has hung up already."""

    def close(self) -> None:
        """The host has hung up already."""


def _failure(connection: Any, answer: dict[str, Any]) -> Exception:
    """What urllib3 itself would raise at this point, else what http.client would."""
    import urllib3.connection
    import urllib3.exceptions

    error = raised(answer)
    if not isinstance(connection, urllib3.connection.HTTPConnection) or answer["connected"]:
        return error
    if answer["error"] == "name":
        return urllib3.exceptions.NameResolutionError(connection.host, connection, error)  # type: ignore[arg-type]
    if answer["error"] == "timeout":
        return urllib3.exceptions.ConnectTimeoutError(connection, str(error))
    if answer["error"] in ("certificate", "tls"):
        return error
    return urllib3.exceptions.NewConnectionError(connection, str(error))


def _taken_apart(sent: bytes) -> tuple[str, str, list[list[str]], bytes]:
    head, _, body = sent.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    if len(head) > _LARGEST_HEAD or len(lines) > _MOST_HEADERS:
        raise PermissionError("the headers of a request are too long")
    method, _, rest = first.partition(" ")
    target = rest.rpartition(" ")[0]
    if method not in METHODS:
        raise PermissionError(f"bots may use {', '.join(sorted(METHODS))}, not {method[:20]}")
    if not target.startswith("/") and target != "*":
        raise PermissionError(_NO_PROXIES)
    headers = [[name, value.strip()] for name, _, value in (li.partition(":") for li in lines)]
    if any(name.lower() == "transfer-encoding" for name, _ in headers):
        body = _joined(body)
    if len(body) > LARGEST_BODY:
        raise PermissionError(_TOO_MUCH)
    return method, target, headers, body


def _joined(chunks: bytes) -> bytes:
    """A chunked body in one piece; our own http.client has cut it."""
    body = bytearray()
    while chunks:
        size, _, chunks = chunks.partition(b"\r\n")
        length = int(size, 16)
        body += chunks[:length]
        chunks = chunks[length + 2 :] if length else b""
    return bytes(body)


def _put_together(answer: dict[str, Any]) -> bytes:
    lines = [f"HTTP/1.1 {answer['status']} {answer['reason']}"]
    lines += [f"{name}: {value}" for name, value in answer["headers"]]
    head = "\r\n".join([*lines, "Connection: close", "", ""])
    return head.encode("latin-1") + base64.b64decode(answer["body"])


def _connect(self: Any) -> None:
    """In place of every ``connect`` of an HTTP connection."""
    import urllib3.connection

    if self._tunnel_host or getattr(self, "proxy", None):
        raise PermissionError(_NO_PROXIES)
    secure = isinstance(self, http.client.HTTPSConnection | urllib3.connection.HTTPSConnection)
    verify = _verifies(self) if secure else True
    self.sock = Exchange(self, "https" if secure else "http", verify)
    if isinstance(self, urllib3.connection.HTTPConnection):
        self._has_connected_to_proxy = False
        self.is_verified = secure and verify


def _verifies(connection: Any) -> bool:
    import urllib3.connection
    from urllib3.util.ssl_ import resolve_cert_reqs

    if isinstance(connection, urllib3.connection.HTTPSConnection):
        if connection.assert_fingerprint or connection.server_hostname:
            raise PermissionError("the server verifies certificates by the host's name only")
        return bool(resolve_cert_reqs(connection.cert_reqs) != ssl.CERT_NONE)
    context: ssl.SSLContext = connection._context
    return context.verify_mode != ssl.CERT_NONE


def _cert_verify(self: Any, connection: Any, url: str, verify: Any, cert: Any) -> None:
    """``HTTPAdapter.cert_verify`` without looking for files."""
    if cert or not isinstance(verify, bool | None):
        raise PermissionError(_NO_FILES)
    connection.cert_reqs = "CERT_REQUIRED" if verify or verify is None else "CERT_NONE"
    connection.ca_certs = connection.ca_cert_dir = None


def install() -> None:
    """Put the stand-ins in place, in this process, for good. For the zygote only."""
    import requests.adapters
    import urllib3.connection

    for kind in (
        http.client.HTTPConnection,
        http.client.HTTPSConnection,
        urllib3.connection.HTTPConnection,
        urllib3.connection.HTTPSConnection,
    ):
        setattr(kind, "connect", _connect)  # noqa: B010 mypy refuses the assignment
    urllib3.connection.HTTPConnection.is_connected = property(lambda self: self.sock is not None)  # type: ignore[assignment]
    requests.adapters.HTTPAdapter.cert_verify = _cert_verify  # type: ignore[method-assign]


def urlopen(url: Any, data: Any = None, timeout: Any = None, *, context: Any = None) -> Any:
    """``urllib.request.urlopen`` for http and https; other schemes would read files."""
    text = url if isinstance(url, str) else url.full_url
    if not str(text).lower().startswith(("http://", "https://")):
        raise ValueError("urlopen opens http and https addresses only")
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=context),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener.open(url, data, timeout)
