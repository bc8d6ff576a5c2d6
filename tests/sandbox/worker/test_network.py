# ruff: noqa: ASYNC110, E501 waits for the kernel; the rows are read as a table
"""The libraries a new user would take run unmodified in a bot, against an HTTPS server of ours."""

import asyncio
import json
import logging
import os
import textwrap
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mcp_multiplayer.sandbox.call import Failed, HookCall, Limits
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.sandbox.hostcalls.broker import Broker
from mcp_multiplayer.sandbox.hostcalls.egress import read_egress
from tests.sandbox.language.test_source import DESIGN, MESSAGE
from tests.sandbox.outside import NAMES, Server, bot, got, listening, make_chain

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class World:
    """A pool, and what its bots reach."""

    pool: Pool
    secure: Server
    plain: Server
    ca: str

    async def run(self, *body: str) -> Any:
        source = bot(*body).replace("=CA)", f"={self.ca!r})")
        return await self.pool.run(HookCall(source, "on_init", key=b"s" * 32))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    ca, tls = make_chain(tmp_path_factory.mktemp("tls"))
    async with listening(tls) as secure, listening(None) as plain:
        resolve = ",".join(
            f"{name}:443=127.0.0.1:{secure.port},{name}:80=127.0.0.1:{plain.port}" for name in NAMES
        )
        limits = Limits(hook_seconds=3.0, response=64 << 10)
        broker = Broker(read_egress("none", "80,443", resolve), limits=limits, ca_file=ca)
        pool = Pool(limits=limits, broker=broker)
        await pool.start()
        yield World(pool, secure, plain, ca.read_text())
        await pool.close()


RUN = {
    "requests.get": (
        "got = requests.get('https://api.example.com/x?a=1').json()['target']",
        "/x?a=1",
    ),
    "requests over http": (
        "got = requests.get('http://api.example.com/').json()['headers']['host']",
        "api.example.com",
    ),
    "requests with params and headers": (
        "got = requests.get('https://api.example.com/', params={'q': 'ä'}, headers={'X-Y': 'z'}).json()\n"
        "got = [got['target'], got['headers']['x-y']]",
        ["/?q=%C3%A4", "z"],
    ),
    "requests.post json": (
        "got = requests.post('https://api.example.com/p', json={'a': [1]}).json()['body']",
        '{"a": [1]}',
    ),
    "requests.post form": (
        "got = requests.post('https://api.example.com/p', data={'a': 1}).json()['body']",
        "a=1",
    ),
    "requests.put in chunks": (
        "got = requests.put('https://api.example.com/p', data=iter([b'ab', b'cd'])).json()['body']",
        "abcd",
    ),
    "requests.head": (
        "r = requests.head('https://api.example.com/large?500')\ngot = [r.status_code, r.headers['Content-Length'], r.text]",
        [200, "500", ""],
    ),
    "requests status and reason": (
        "r = requests.get('https://api.example.com/redirect?/x', allow_redirects=False)\ngot = [r.status_code, r.is_redirect]",
        [302, True],
    ),
    "requests stream": (
        "r = requests.get('https://api.example.com/large?5000', stream=True)\ngot = sum(len(c) for c in r.iter_content(512))",
        5000,
    ),
    "requests auth": (
        "got = requests.get('https://api.example.com/', auth=('u', 'p')).json()['headers']['authorization']",
        "Basic dTpw",
    ),
    "requests elapsed": (
        "got = requests.get('https://api.example.com/').elapsed.total_seconds()",
        0,
    ),
    "session with redirects, cookies and JSON": (
        "s = requests.Session()\ns.headers['X-Who'] = 'bot'\n"
        "r = s.get('https://api.example.com/redirect?https://api.example.com/redirect?/end')\n"
        "got = [len(r.history), r.url, r.json()['headers']['cookie'], r.json()['headers']['x-who']]",
        [2, "https://api.example.com/end", "visited=yes", "bot"],
    ),
    "session as a context": (
        "with requests.Session() as s:\n    got = [s.get(f'https://api.example.com/{i}').json()['target'] for i in range(3)]",
        ["/0", "/1", "/2"],
    ),
    "redirect to another host and scheme": (
        "got = requests.get('https://api.example.com/redirect?http://other.example.com/y').json()['headers']['host']",
        "other.example.com",
    ),
    "a packed answer": (
        "r = requests.get('https://api.example.com/gzip')\ngot = [r.json(), r.headers['Content-Encoding']]",
        [{"packed": True}, "gzip"],
    ),
    "an answer in chunks": (
        "got = [requests.get('https://api.example.com/chunked').text, urllib.request.urlopen('https://api.example.com/chunked').read().decode()]",
        ["abcde", "abcde"],
    ),
    "an empty answer": (
        "r = requests.delete('https://api.example.com/status?204')\ngot = [r.status_code, r.text, r.ok]",
        [204, "", True],
    ),
    "an error of the server": (
        "try:\n    requests.get('https://api.example.com/status?503').raise_for_status()\nexcept requests.HTTPError as e:\n    got = e.response.status_code",
        503,
    ),
    "an error of the server, urlopen": (
        "import urllib.error\ntry:\n    urllib.request.urlopen('https://api.example.com/status?404')\nexcept urllib.error.HTTPError as e:\n    got = [e.code, e.read().decode()]",
        [404, "gone"],
    ),
    "verify=False": (
        "got = requests.get('https://api.example.com/', verify=False).status_code",
        200,
    ),
    "urlopen": (
        "got = json.loads(urllib.request.urlopen('https://api.example.com/u').read())['target']",
        "/u",
    ),
    "urlopen with a request": (
        "q = urllib.request.Request('https://api.example.com/u', data=b'd', headers={'X-Y': 'z'}, method='PUT')\n"
        "with urllib.request.urlopen(q, timeout=2) as r:\n    t = json.load(r)\ngot = [t['method'], t['body'], r.status]",
        ["PUT", "d", 200],
    ),
    "urlopen follows redirects": (
        "r = urllib.request.urlopen('https://api.example.com/redirect?/v')\ngot = r.geturl()",
        "https://api.example.com/v",
    ),
    "urlopen without a scheme it knows": (
        "try:\n    urllib.request.urlopen('ftp://api.example.com/')\nexcept ValueError as e:\n    got = str(e)",
        "urlopen opens http and https addresses only",
    ),
    "http.client": (
        "c = http.client.HTTPSConnection('api.example.com', timeout=2)\nc.request('GET', '/h', headers={'A': 'b'})\n"
        "r = c.getresponse()\nt = json.loads(r.read())\ngot = [r.status, t['target'], t['headers']['a']]",
        [200, "/h", "b"],
    ),
    "http.client twice over one connection": (
        "c = http.client.HTTPConnection('api.example.com')\ngot = []\nfor i in range(2):\n    c.request('POST', f'/{i}', body='x')\n"
        "    got.append(json.loads(c.getresponse().read())['target'])\nc.close()",
        ["/0", "/1"],
    ),
    "http.client and the certificate behind it": (
        "c = http.client.HTTPSConnection('api.example.com')\nc.connect()\ngot = c.sock.getpeercert()['subject'][0][0][1]",
        "api.coinbase.com",
    ),
    "urllib3": (
        "r = urllib3.PoolManager().request('GET', 'https://api.example.com/3', fields={'k': 'v'})\ngot = r.json()['target']",
        "/3?k=v",
    ),
    "urllib3.request": (
        "got = urllib3.request('POST', 'https://api.example.com/', json={'a': 1}).json()['body']",
        '{"a":1}',
    ),
    "ssl.get_server_certificate": (
        "p = ssl.get_server_certificate(('api.example.com', 443))\ngot = [p[:27], len(ssl.PEM_cert_to_DER_cert(p)) > 300]",
        ["-----BEGIN CERTIFICATE-----", True],
    ),
    "a raw TLS socket": (
        "with socket.create_connection(('api.example.com', 443), timeout=2) as raw:\n"
        "    with ssl.create_default_context().wrap_socket(raw, server_hostname='api.example.com') as s:\n"
        "        s.sendall(b'GET /raw HTTP/1.1\\r\\nHost: api.example.com\\r\\nConnection: close\\r\\n\\r\\n')\n"
        "        v, data = s.version(), b''\n        while part := s.recv(4096):\n            data += part\n"
        "        names = [n for _, n in s.getpeercert()['subjectAltName']]\ngot = [data[:15].decode(), names, v]",
        ["HTTP/1.1 200 X\r", list(NAMES), "TLSv1.3"],
    ),
    "wrapped before it is connected": (
        "s = ssl.create_default_context().wrap_socket(socket.socket(), server_hostname='api.example.com')\ns.settimeout(2)\n"
        "s.connect(('api.example.com', 443))\ngot = s.getpeercert()['issuer'][0][0][1]\ns.close()",
        "test middle",
    ),
    "an own context with the default authorities": (
        "c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)\nc.load_default_certs()\n"
        "with socket.create_connection(('api.example.com', 443)) as raw:\n    got = c.wrap_socket(raw, server_hostname='api.example.com').cipher()[0][:3]",
        "TLS",
    ),
    "two contexts": (
        "a, b = ssl.create_default_context(), ssl.create_default_context()\na.maximum_version = ssl.TLSVersion.TLSv1_2\n"
        "got = [a.maximum_version == b.maximum_version, a.minimum_version == b.minimum_version, hasattr(a, 'get_ciphers'), hasattr(a, 'options')]",
        [False, True, False, False],
    ),
    "an authority of its own": (
        "c = ssl.create_default_context(cadata=CA)\n"
        "got = c.wrap_socket(socket.create_connection(('api.example.com', 443)), server_hostname='api.example.com').version()",
        "TLSv1.3",
    ),
    "no name for the server": (
        "c = ssl.create_default_context()\nc.check_hostname = False\n"
        "got = c.wrap_socket(socket.create_connection(('api.example.com', 443))).version()",
        "TLSv1.3",
    ),
    "a plain socket, resolved first": (
        "family, kind, proto, _, where = socket.getaddrinfo('api.example.com', 80, type=socket.SOCK_STREAM)[0]\n"
        "s = socket.socket(family, kind, proto)\ns.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)\ns.connect(where)\n"
        "s.sendall(b'GET /s HTTP/1.1\\r\\nHost: api.example.com\\r\\n\\r\\n')\nf = s.makefile('rb')\n"
        "got = [f.readline().decode(), s.getpeername()[0], s.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)]",
        ["HTTP/1.1 200 X\r\n", "127.0.0.1", 1],
    ),
    "looking without taking": (
        "s = socket.create_connection(('api.example.com', 80))\ns.sendall(b'GET /p HTTP/1.1\\r\\nHost: api.example.com\\r\\n\\r\\n')\n"
        "got = [s.recv(8, socket.MSG_PEEK).decode(), s.recv(4).decode(), s.recv(4).decode()]",
        ["HTTP/1.1", "HTTP", "/1.1"],
    ),
    "saying no more": (
        "s = socket.create_connection(('api.example.com', 80))\ns.shutdown(socket.SHUT_WR)\ngot = s.recv(9).decode()",
        "",
    ),
    "a whole chain": (
        "c = ssl.create_default_context()\ns = c.wrap_socket(socket.create_connection(('api.example.com', 443)), server_hostname='api.example.com')\n"
        "got = [len(s.get_unverified_chain()) >= 2, s.get_unverified_chain()[0] == s.getpeercert(True), s.selected_alpn_protocol(), s.version()]",
        [True, True, None, "TLSv1.3"],
    ),
    "TLS without looking at the certificate": (
        "c = ssl.create_default_context()\nc.check_hostname = False\nc.verify_mode = ssl.CERT_NONE\n"
        "s = c.wrap_socket(socket.create_connection(('api.example.com', 443)), server_hostname='else.example.com')\ngot = [s.getpeercert(), len(s.getpeercert(True)) > 300]",
        [{}, True],
    ),
    "an older TLS": (
        "c = ssl.create_default_context()\nc.maximum_version = ssl.TLSVersion.TLSv1_2\n"
        "got = c.wrap_socket(socket.create_connection(('api.example.com', 443)), server_hostname='api.example.com').version()",
        "TLSv1.2",
    ),
    "what is wrong with a certificate": (
        "try:\n    ssl.create_default_context().wrap_socket(socket.create_connection(('api.example.com', 443)), server_hostname='else.example.com')\n"
        "except ssl.SSLCertVerificationError as e:\n    got = [e.verify_code, e.verify_message[:17]]",
        [62, "Hostname mismatch"],
    ),
    "a look-up": (
        "got = [socket.gethostbyname('api.example.com'), socket.getaddrinfo('api.example.com', 'https')[0][4]]",
        ["127.0.0.1", ["127.0.0.1", 443]],
    ),
    "own names": ("got = [socket.gethostname(), socket.getfqdn()]", ["bot", "bot"]),
    "connect_ex": (
        "s = socket.socket()\ngot = [s.connect_ex(('api.example.com', 80)), socket.socket().connect_ex(('api.example.com', 81))]",
        [0, 13],
    ),
    "certifi": (
        "import certifi\ngot = [certifi.where(), 'BEGIN CERTIFICATE' in certifi.contents()]",
        ["cacert.pem", True],
    ),
}


@pytest.mark.parametrize("name", RUN)
async def test_it_runs_as_written(world: World, name: str) -> None:
    body, expected = RUN[name]
    assert got(await world.run(*body.split("\n"))) == expected


async def test_the_bitcoin_bots_of_the_design_run_as_written(world: World) -> None:
    sources = {name: textwrap.dedent(text) for name, text in DESIGN.items()}
    result: Any = await world.pool.run(HookCall(sources["price"], "on_message", (MESSAGE,)))
    assert result.said[0].body == {"text": "💰 Current BTC: $114609.375 USD"}
    result = await world.pool.run(HookCall(sources["three imports"], "on_init"))
    assert result.said[0].body == {"type": "ready", "message": "BTC price: $97"}


FAIL = {
    "a certificate for another name": (
        "socket.create_connection(('api.example.com', 443))\nc = ssl.create_default_context()\n"
        "c.wrap_socket(socket.create_connection(('api.example.com', 443)), server_hostname='else.example.com')",
        "SSLCertVerificationError",
        "Hostname mismatch",
    ),
    "no such name": (
        "requests.get('https://nowhere.example.com/')",
        "ConnectionError",
        "nowhere.example.com",
    ),
    "nobody listens there": (
        "requests.get('https://127.0.0.1:1/')",
        "ConnectionError",
        "no network (BOT_EGRESS=none)",
    ),
    "an answer that is too long": (
        "requests.get('https://api.example.com/large?70000')",
        "ConnectionError",
        "the answer is longer than 64 KB",
    ),
    "an answer that is too long, urlopen": (
        "urllib.request.urlopen('https://api.example.com/large?70000')",
        "OSError",
        "the answer is longer than 64 KB",
    ),
    "an answer that is not HTTP": (
        "requests.get('https://api.example.com/garbled')",
        "ConnectionError",
        "not HTTP",
    ),
    "no answer within the bot's own patience": (
        "requests.get('https://api.example.com/silent', timeout=0.05)",
        "ReadTimeout",
        "Read timed out",
    ),
    "no answer within the hook's": (
        "urllib.request.urlopen('https://api.example.com/silent')",
        "TimeoutError",
        "no answer in time; a hook has 2.4 seconds for the network",
    ),
    "no answer over a raw socket": (
        "s = socket.create_connection(('api.example.com', 80))\ns.recv(1)",
        "TimeoutError",
        "timed out",
    ),
    "too many connections": (
        "for i in range(11):\n    requests.get('http://api.example.com/')",
        "ConnectionError",
        "10 connections in one hook",
    ),
    "too many sockets": (
        "kept = [socket.create_connection(('api.example.com', 80)) for i in range(11)]",
        "PermissionError",
        "10 connections in one hook",
    ),
    "too many look-ups": (
        "for i in range(21):\n    socket.gethostbyname('api.example.com')",
        "PermissionError",
        "20 names in one hook",
    ),
    "too much sent": (
        "requests.post('http://api.example.com/', data=b'x' * (1 << 20))",
        "ConnectionError",
        "1024 KB in one hook",
    ),
    "too much sent in parts": (
        "for i in range(3):\n    requests.post('http://api.example.com/large?1', data=b'x' * 400_000)",
        "ConnectionError",
        "1024 KB in one hook",
    ),
    "too much over a raw socket": (
        "s = socket.create_connection(('api.example.com', 80))\n"
        "s.sendall(b'GET /large?90000000 HTTP/1.1\\r\\nHost: api.example.com\\r\\n\\r\\n')\nn = 0\n"
        "while part := s.recv(65536):\n    n += len(part)\nraise OSError(str(n))",
        "OSError",
        "more than 64 KB came over a bot's own connections",
    ),
    "too much said over a raw socket": (
        "s = socket.create_connection(('api.example.com', 80))\nfor _ in range(101):\n    s.send(b'x')",
        "PermissionError",
        "speak 100 times over its own connections",
    ),
    "too much sent over a raw socket": (
        "s = socket.create_connection(('api.example.com', 80))\ns.sendall(b'POST / HTTP/1.1\\r\\nHost: api.example.com\\r\\nContent-Length: 9000000\\r\\n\\r\\n')\n"
        "for _ in range(3):\n    s.sendall(b'x' * 400_000)",
        "PermissionError",
        "1024 KB in one hook",
    ),
    "a socket that leads nowhere": ("socket.socket().send(b'x')", "OSError", "not connected"),
    "a socket that was closed": (
        "s = socket.create_connection(('api.example.com', 80))\ns.close()\ns.send(b'x')",
        "OSError",
        "not connected",
    ),
    "a socket that does not wait": (
        "s = socket.create_connection(('api.example.com', 80))\ns.setblocking(False)\ns.recv(1)",
        "BlockingIOError",
        "unavailable",
    ),
    "no TLS there": (
        "s = socket.create_connection(('api.example.com', 80))\ns.sendall(b'GET / HTTP/1.1\\r\\nHost: api.example.com\\r\\n\\r\\n')\n"
        "ssl.create_default_context().wrap_socket(s, server_hostname='api.example.com')",
        "SSLError",
        "[SSL]",
    ),
    "TLS that believes nobody": (
        "ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_socket(socket.create_connection(('api.example.com', 443)), server_hostname='api.example.com')",
        "SSLCertVerificationError",
        "certificate verify failed",
    ),
    "a version of TLS that is gone": (
        "c = ssl.create_default_context()\nc.maximum_version = ssl.TLSVersion.TLSv1\nc.wrap_socket(socket.create_connection(('api.example.com', 443)), server_hostname='api.example.com')",
        "SSLError",
        "[SSL]",
    ),
    "a proxy": (
        "requests.get('http://api.example.com/', proxies={'http': 'http://other.example.com:80'})",
        "ProxyError",
        "bots use no proxies",
    ),
    "a proxy for https": (
        "requests.get('https://api.example.com/', proxies={'https': 'http://other.example.com:80'})",
        "ProxyError",
        "bots use no proxies",
    ),
    "another Host": (
        "raise ValueError(requests.get('http://api.example.com/', headers={'Host': 'other'}).json()['headers']['host'])",
        "ValueError",
        "api.example.com",
    ),
    "certificates from a file": (
        "requests.get('https://api.example.com/', verify='/etc/ssl/cert.pem')",
        "PermissionError",
        "no certificate files",
    ),
    "another method": (
        "http.client.HTTPConnection('api.example.com').request('TRACE', '/')\nurllib3.request('TRACE', 'https://api.example.com/', retries=False)",
        "ProtocolError",
        "not TRACE",
    ),
    "endless headers": (
        "requests.get('https://api.example.com/', headers={'a': 'x' * 70_000})",
        "ConnectionError",
        "headers of a request are too long",
    ),
    "too many headers": (
        "requests.get('https://api.example.com/', headers={f'a{i}': 'x' for i in range(101)})",
        "ConnectionError",
        "headers of a request are too long",
    ),
    "a port that is none": (
        "c = http.client.HTTPConnection('api.example.com', 70_000)\nc.request('GET', '/')\nc.getresponse()",
        "OverflowError",
        "port must be",
    ),
    "a name that is none": ("requests.get('https://' + 'a' * 300)", "", ""),
    "a port of a socket that is none": (
        "socket.socket().connect(('api.example.com', 70_000))",
        "OverflowError",
        "port must be",
    ),
    "a port that is not listed": (
        "requests.get('https://api.example.com:8443/')",
        "ConnectionError",
        "api.example.com:8443 is not among the places",
    ),
    "udp": (
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
        "PermissionError",
        "TCP sockets only",
    ),
    "unix sockets": ("socket.socket(socket.AF_UNIX)", "PermissionError", "TCP sockets only"),
    "listening": (
        "socket.socket().bind(('0.0.0.0', 80))",
        "PermissionError",
        "nobody can connect to a bot",
    ),
    "a server": (
        "socket.create_server(('0.0.0.0', 80))",
        "PermissionError",
        "nobody can connect to a bot",
    ),
    "a descriptor": ("socket.socket(fileno=3)", "PermissionError", "by its number"),
    "the placeholder": ("socket.socket(fileno=4)", "PermissionError", "by its number"),
}


@pytest.mark.parametrize("name", FAIL)
async def test_it_fails_with_clear_words(world: World, name: str) -> None:
    body, error, words = FAIL[name]
    result = await world.run(*body.split("\n"))
    assert isinstance(result, Failed) and words in result.text, result
    assert error in ("", result.error), result


async def test_every_answer_is_recorded_with_its_request(world: World) -> None:
    result = await world.run(
        "got = requests.post('https://api.example.com/e', data='b').status_code",
        "socket.gethostbyname('api.example.com')",
        "socket.create_connection(('api.example.com', 80))",
        "try:\n            requests.get('https://nowhere.example.com/')",
        "except requests.ConnectionError:\n            pass",
    )
    fetch, resolve, connect, failed = result.effects
    asked, answered = json.loads(fetch.request), json.loads(fetch.response)
    assert (asked["method"], asked["scheme"], asked["host"], asked["target"], asked["body"]) == (
        "POST",
        "https",
        "api.example.com",
        "/e",
        "Yg==",
    )
    assert answered["status"] == 200 and ["Content-Type", "application/json"] in answered["headers"]
    assert resolve.request == b'{"host":"api.example.com","k":"resolve"}'
    assert json.loads(resolve.response) == {"addresses": ["127.0.0.1"]}
    assert (connect.kind, json.loads(failed.response)["error"]) == ("connect", "refused")
    assert len({e.q for e in result.effects}) == 4 and all(len(e.r) == 43 for e in result.effects)


async def test_a_failed_hook_has_its_record_too(world: World) -> None:
    result = await world.run("requests.get('https://api.example.com/')", "1 / 0")
    assert result.error == "ZeroDivisionError" and len(result.effects) == 1


async def test_the_connections_of_a_hook_end_with_it(world: World) -> None:
    result = await world.run(
        "kept = [socket.create_connection(('api.example.com', 80)) for i in range(9)]",
        "got = kept[0].getsockname()[0]",
    )
    assert got(result) == "0.0.0.0"
    async with asyncio.timeout(10):  # nobody holds an end any more
        while f":{world.plain.port:04X} " in await asyncio.to_thread(established):
            await asyncio.sleep(0)


async def test_refusals_are_logged_without_the_place(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    line = "requests.get('https://my-hole-card-is-ks.example/')"
    await world.pool.run(HookCall(bot(line), "on_init", bot_id="spy"))
    assert "bot 'spy' was refused the network 1 times" in caplog.text
    assert "hole-card" not in caplog.text


async def test_a_hook_that_is_cancelled_leaves_no_connection(world: World) -> None:
    before = len(os.listdir("/proc/self/fd"))
    asked = len(world.secure.requests)
    line = "requests.get('https://api.example.com/silent')"
    running = asyncio.create_task(world.pool.run(HookCall(bot(line), "on_init")))
    while len(world.secure.requests) == asked:
        await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    async with asyncio.timeout(10):
        while len(os.listdir("/proc/self/fd")) > before:  # the server's end, a spare's socket
            await asyncio.sleep(0)


@pytest.mark.parametrize("without", [(), ("seccomp", "landlock", "uid", "namespaces")])
async def test_it_runs_on_uvloop_and_with_and_without_the_kernels_walls(
    tmp_path: Path, without: tuple[str, ...]
) -> None:
    uvloop = pytest.importorskip("uvloop")

    async def play() -> Any:
        ca, tls = make_chain(tmp_path)
        async with listening(tls) as server:
            resolve = f"api.example.com:443=127.0.0.1:{server.port}"
            broker = Broker(read_egress("none", "443", resolve), ca_file=ca)
            async with Pool(broker=broker, spares=0, policy="unsafe", without=without) as pool:
                lines = [RUN[name][0] for name in ("requests.get", "a raw TLS socket")]
                lines.append("open('x', 'w').write('y')\ngot = [v, open('x').read()]")
                return await pool.run(HookCall(bot(*"\n".join(lines).split("\n")), "on_init"))

    def run() -> Any:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(play())

    assert got(await asyncio.to_thread(run)) == ["TLSv1.3", "y"]


def established() -> str:
    rows = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return "\n".join(row.split()[1] + " " for row in rows if row.split()[3] == "01")
