"""A small internet on loopback for tests: a chain of certificates and servers that count."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import gzip
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAMES = ("api.coinbase.com", "api.example.com", "other.example.com", "slow.example.com")
PRICE = {"data": {"amount": "114609.375", "base": "BTC", "currency": "USD", "rates": {"USD": "97"}}}
_PEM = serialization.Encoding.PEM
Key: TypeAlias = ec.EllipticCurvePrivateKey


def _certificate(
    subject: str, key: Key, issuer: tuple[x509.Certificate, Key] | None, names: tuple[str, ...]
) -> x509.Certificate:
    own = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(own)
        .issuer_name(issuer[0].subject if issuer else own)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=not names, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if names:
        listed = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(listed, critical=False)
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256())


def make_chain(directory: Path) -> tuple[Path, ssl.SSLContext]:
    """The root's file for BOT_EGRESS_CA_FILE, and what a server with the names needs."""
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(3)]
    root = _certificate("test root", keys[0], None, ())
    middle = _certificate("test middle", keys[1], (root, keys[0]), ())
    leaf = _certificate(NAMES[0], keys[2], (middle, keys[1]), NAMES)
    ca, chain, key = (directory / name for name in ("root.pem", "chain.pem", "key.pem"))
    ca.write_bytes(root.public_bytes(_PEM))
    chain.write_bytes(leaf.public_bytes(_PEM) + middle.public_bytes(_PEM))
    key.write_bytes(
        keys[2].private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    return ca, context


class Server:
    """Counts connections and answers as its routes say."""

    def __init__(self) -> None:
        self.connections = 0
        self.requests: list[str] = []
        self.port = 0
        self.hold = asyncio.Event()  #: lets the slow answers go

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError):
            while await self._one(reader, writer):
                pass

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        method, target, _ = first.split(" ")
        headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.requests.append(f"{method} {headers['host']}{target}")
        answer = await self._answer(method, target, headers, body)
        if answer is None:
            return False
        status, more, content = answer
        length = [] if path_of(target) == "/chunked" else [f"Content-Length: {len(content)}"]
        rows = [f"HTTP/1.1 {status} X", *length, *more, "", ""]
        writer.write("\r\n".join(rows).encode() + (b"" if method == "HEAD" else content))
        await writer.drain()
        return headers.get("connection", "") != "close"

    async def _answer(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, list[str], bytes] | None:
        path, query = path_of(target), target.partition("?")[2]
        if path in ("/v2/prices/BTC-USD/spot", "/v2/exchange-rates"):
            return 200, ["Content-Type: application/json"], json.dumps(PRICE).encode()
        if path == "/redirect":
            return 302, [f"Location: {query}", "Set-Cookie: visited=yes; Path=/"], b""
        if path == "/large":
            return 200, [], b"x" * int(query)
        if path == "/silent":
            await self.hold.wait()
            return None
        if path == "/gzip":
            return 200, ["Content-Encoding: gzip"], gzip.compress(b'{"packed": true}')
        if path == "/chunked":
            return 200, ["Transfer-Encoding: chunked"], b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        if path == "/status":
            return int(query), [], b"gone" if query != "204" else b""
        if path == "/garbled":
            return 200, ["Broken header"], b""
        told = {"method": method, "target": target, "headers": headers, "body": body.decode()}
        return 200, ["Content-Type: application/json"], json.dumps(told).encode()


def path_of(target: str) -> str:
    return target.partition("?")[0]


@contextlib.asynccontextmanager
async def listening(tls: ssl.SSLContext | None, host: str = "127.0.0.1") -> AsyncIterator[Server]:
    """A server on a free port, until the end of the block."""
    server = Server()
    async with talking(server.handle, tls, host) as server.port:
        try:
            yield server
        finally:
            server.hold.set()


Talk: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def talking(
    talk: Talk, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[int]:
    """The port on which so is talked until the end of the block, when all that is open is closed:
    what a loop leaves behind would fail another test."""
    open_now: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_now.add(task)
        try:
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await talk(reader, writer)
                writer.close()
                await writer.wait_closed()
        finally:
            writer.transport.abort()
            open_now.discard(task)

    running = await asyncio.start_server(handle, host, 0, ssl=tls)
    try:
        yield running.sockets[0].getsockname()[1]
    finally:
        running.close()
        left = list(open_now)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await asyncio.sleep(0)  # an aborted transport closes its socket in the loop's next round


def bot(*body: str) -> str:
    """A bot that says what its lines leave in ``got``."""
    lines = "".join(f"        {line}\n" for line in body)
    return (
        "import http.client, json, random, requests, socket, ssl, urllib.request, urllib3\n"
        f"class Bot:\n    def on_init(self):\n        got = None\n{lines}"
        "        self.ctx.post('bot', {'got': got})\n"
    )


def got(result: Any) -> Any:
    """What such a bot said."""
    assert hasattr(result, "said"), result
    return result.said[0].body["got"]
