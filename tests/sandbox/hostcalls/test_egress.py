"""What only the server can reach is reached by no bot, however the place is written.

Stopped by sandbox/hostcalls/egress.py and dialer.py. The canary listens on every loopback
address there is and must count no connection.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mcp_multiplayer.sandbox.call import Failed, HookCall, Limits
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.sandbox.hostcalls.broker import Broker
from mcp_multiplayer.sandbox.hostcalls.dialer import Dialer, Place, Refused, is_local
from mcp_multiplayer.sandbox.hostcalls.egress import (
    BadEgress,
    Egress,
    forms,
    plain_name,
    public,
    read_egress,
)
from tests.sandbox.outside import Server, bot, got, listening

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: Forbidden targets as hosts of a URL; {port} is the canary's.
FORBIDDEN = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "0",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "LocalHost..",
    "2130706433",
    "017700000001",
    "0x7f000001",
    "0x7f.1",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "0177.1",
    "127.0x0.1",
    "127.0.0.01",
    "00000177.0.0.1",
    "127.0.0.1.",
    "127。0。0。1",
    "127．0．0．1",
    "１２７.0.0.1",
    "ⓛocalhost",
    "⑫7.0.0.1",
    "%31%32%37.0.0.1",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[0000::0001]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:0:127.0.0.1]",
    "[::127.0.0.1]",
    "[::7f00:1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[2002:7f00:0001::1]",
    "[2001:0:7f00:1::]",
    "[2001:0:4136:e378:8000:63bf:80ff:fffe]",
    "[fe80::1]",
    "[fe80::1%25lo]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[fec0::1]",
    "[ff02::1]",
    "[5f00::1]",
    "[3fff::1]",
    "[2001:db8::1]",
    "[100::1]",
    "[::169.254.169.254]",
    "[::ffff:169.254.169.254]",
    "[64:ff9b::a9fe:a9fe]",
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "192.168.255.255",
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "169.254.170.2",
    "168.63.129.16",
    "192.0.0.192",
    "192.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "198.18.0.1",
    "192.88.99.1",
    "203.0.113.1",
    "198.51.100.1",
    "192.0.2.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "example.com@127.0.0.1",
    "user:pw@127.0.0.1",
    "example.com%40127.0.0.1",
    "127.0.0.1%23.example.com",
    "internal.example",
]


@dataclass
class Names:
    """A name server of ours: each question takes the next answer, the last one stays."""

    answers: dict[str, list[str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def __call__(self, name: str) -> list[str]:
        self.asked.append(name)
        if name in self.answers:
            answers = self.answers[name]
            return [answers.pop(0) if len(answers) > 1 else answers[0]]
        try:  # numbers as C libraries read them; no name server is asked
            found = socket.getaddrinfo(name, None, flags=socket.AI_NUMERICHOST)
        except socket.gaierror:
            if name == "localhost":
                return ["127.0.0.1", "::1"]
            raise
        return [str(entry[4][0]) for entry in found]


class Watched(Dialer):
    """Notes where it would connect, and does so only where the canary is."""

    def __init__(self, egress: Egress, resolver: Names) -> None:
        super().__init__(egress, resolver=resolver)
        self.names = resolver
        self.dialled: list[Place] = []

    async def connect(self, place: Place, seconds: float) -> socket.socket:
        self.dialled.append(place)
        if any(address.is_loopback for address in place.addresses):
            return await super().connect(place, seconds)
        raise ConnectionRefusedError(111, "Connection refused")


@dataclass
class World:
    pool: Pool
    dialer: Watched
    canary: Server

    async def run(self, *body: str) -> Any:
        self.dialer.dialled.clear()
        self.dialer.names.asked.clear()
        return await self.pool.run(HookCall(bot(*body), "on_init"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    async with listening(None, "") as canary:  # every address of this machine
        egress = read_egress("public", f"80,443,{canary.port}", "")
        names = Names({"internal.example": ["10.1.2.3"], "public.example": ["93.184.216.34"]})
        dialer = Watched(egress, names)
        limits = Limits(hook_seconds=5.0)
        pool = Pool(limits=limits, broker=Broker(limits=limits, dialer=dialer), spares=4)
        await pool.start()
        yield World(pool, dialer, canary)
        await pool.close()


@pytest.mark.parametrize("host", FORBIDDEN)
async def test_no_spelling_reaches_what_only_the_server_can_reach(world: World, host: str) -> None:
    port = world.canary.port
    bare = host.strip("[]").replace("%25", "%").rpartition("@")[2]
    result = await world.run(
        "got = []",
        "def ways():",
        f"    yield lambda: requests.get('http://{host}:{port}/')",
        f"    yield lambda: urllib.request.urlopen('http://{host}:{port}/', timeout=2)",
        f"    yield lambda: urllib3.request('GET', 'http://{host}:{port}/', retries=False)",
        f"    yield lambda: socket.create_connection(('{bare}', {port}), 2)",
        f"    yield lambda: socket.socket().connect(('{bare}', {port}))",
        f"    yield lambda: ssl.get_server_certificate(('{bare}', {port}), timeout=2)",
        "for way in ways():",
        "    try:",
        "        way()",
        "        got.append('REACHED')",
        "    except Exception as e:",
        "        got.append(type(e).__name__)",
    )
    assert len(got(result)) == 6 and "REACHED" not in got(result)
    assert (world.dialer.dialled, world.canary.connections) == ([], 0)


async def test_the_canary_would_count(world: World) -> None:
    async with listening(None) as other:
        listed = Watched(read_egress(f"127.0.0.1:{other.port}", "80", ""), Names())
        async with Pool(broker=Broker(dialer=listed), spares=0) as pool:
            line = f"got = requests.get('http://127.0.0.1:{other.port}/').status_code"
            assert got(await pool.run(HookCall(bot(line), "on_init"))) == 200
        assert other.connections == 1


async def test_what_is_public_would_be_connected_to(world: World) -> None:
    await world.run("requests.get('https://public.example/')")
    assert world.dialer.dialled == [Place("public.example", 443, (IPv4Address("93.184.216.34"),))]


async def test_a_name_is_looked_up_once_and_the_judged_address_is_the_one_connected_to(
    world: World,
) -> None:
    world.dialer.names.answers["rebind.example"] = ["93.184.216.34", "127.0.0.1"]
    await world.run(f"requests.get('http://rebind.example:{world.canary.port}/')")
    assert world.dialer.names.asked == ["rebind.example"]
    assert [p.addresses for p in world.dialer.dialled] == [(IPv4Address("93.184.216.34"),)]
    assert world.canary.connections == 0


async def test_a_name_that_was_public_when_the_bot_looked_is_judged_again(world: World) -> None:
    world.dialer.names.answers["later.example"] = ["93.184.216.34", "127.0.0.1"]
    result = await world.run(
        "address = socket.gethostbyname('later.example')",
        f"requests.get('http://later.example:{world.canary.port}/')",
    )
    assert "this server itself cannot be reached by bots" in result.text
    assert not world.dialer.dialled and world.canary.connections == 0


async def test_an_address_among_good_ones_is_left_out(world: World) -> None:
    class Mixed(Names):
        async def __call__(self, name: str) -> list[str]:
            return ["127.0.0.1", "93.184.216.34", "::1"]

    place = await Dialer(read_egress("public", "80", ""), resolver=Mixed()).locate("a.example", 80)
    assert place.addresses == (IPv4Address("93.184.216.34"),)


async def test_a_redirect_is_judged_like_any_other_request(world: World, tmp_path: Path) -> None:
    async with listening(None) as outer:
        resolve = f"start.example:80=127.0.0.1:{outer.port}"
        egress = read_egress("public", f"80,{world.canary.port}", resolve)
        pool = Pool(broker=Broker(egress), spares=0)
        for target in (f"127.0.0.1:{world.canary.port}", f"localhost:{world.canary.port}"):
            for call in (
                "requests.get(u)",
                "urllib.request.urlopen(u)",
                "urllib3.request('GET', u)",
            ):
                lines = f"u = 'http://start.example/redirect?http://{target}/'", call
                result: Any = await pool.run(HookCall(bot(*lines), "on_init"))
                assert isinstance(result, Failed) and "this server itself" in result.text
        await pool.close()
        assert outer.connections == 6 and world.canary.connections == 0


async def test_look_ups_tell_nothing_of_private_names(world: World) -> None:
    result = await world.run("got = socket.gethostbyname('internal.example')")
    assert result.error == "PermissionError" and "10.1" not in result.text
    result = await world.run("got = socket.gethostbyname('public.example')")
    assert got(result) == "93.184.216.34"


async def test_ports_other_than_the_usual_are_closed(world: World) -> None:
    result = await world.run("requests.get('http://public.example:22/')")
    assert "port 22 cannot be reached by bots, only 80, 443" in result.text


async def test_without_egress_no_name_is_even_looked_up() -> None:
    names = Names({"public.example": ["93.184.216.34"]})
    closed = Watched(read_egress("none", "80", ""), names)
    async with Pool(broker=Broker(dialer=closed), spares=0) as pool:
        for line in (
            "requests.get('https://public.example')",
            "socket.gethostbyname('public.example')",
            "socket.create_connection(('93.184.216.34', 80))",
        ):
            result: Any = await pool.run(HookCall(bot(line), "on_init"))
            assert "bots of this server have no network (BOT_EGRESS=none)" in result.text
    assert (names.asked, closed.dialled) == ([], [])


async def test_a_look_up_without_end_ends_with_the_time_for_the_network() -> None:
    class Silent(Names):
        async def __call__(self, name: str) -> list[str]:
            await asyncio.Event().wait()
            return []

    limits = Limits(hook_seconds=1.0)
    silent = Watched(read_egress("public", "80", ""), Silent())
    async with Pool(limits=limits, broker=Broker(limits=limits, dialer=silent), spares=1) as pool:
        result: Any = await pool.run(HookCall(bot("requests.get('http://a.example')"), "on_init"))
    assert result.error == "ConnectTimeout" and "0.8 seconds for the network" in result.text


# The policy by itself


def judged(
    egress: str, target: str, *names: str, ports: str = "80,443", local: bool = False
) -> str:
    address, _, port = target.rpartition(":")
    policy = read_egress(egress, ports, "")
    return policy.refuses(ip_address(address.strip("[]")), int(port), names=names, local=local)


async def test_a_list_permits_what_it_names() -> None:
    listed = "api.example.com:443,plain.example"
    assert not judged(listed, "93.184.216.34:443", "api.example.com")
    assert "not among" in judged(listed, "93.184.216.34:80", "api.example.com")
    assert "not among" in judged(listed, "93.184.216.34:443", "evil.example")
    assert "not among" in judged(listed, "93.184.216.34:443")
    assert not judged(listed, "93.184.216.34:80", "plain.example")
    assert "not among" in judged(listed, "93.184.216.34:8080", "plain.example")
    assert "private" in judged(listed, "10.0.0.1:443", "api.example.com")  # its DNS may lie


async def test_a_network_permits_what_is_in_it_but_never_this_machine() -> None:
    assert not judged("10.0.0.0/8", "10.1.2.3:443", "db.internal")
    assert "this server itself" in judged(
        "10.0.0.0/8,x.example", "10.1.2.3:443", "x.example", local=True
    )
    assert "not among" in judged("10.0.0.0/8", "10.1.2.3:443", local=True)
    assert "not among" in judged("10.0.0.0/8", "11.1.2.3:443")
    assert "not among" in judged("10.0.0.0/8", "10.1.2.3:22")
    assert not judged("10.0.0.0/8:22", "10.1.2.3:22")
    assert not judged("127.0.0.1:9443", "127.0.0.1:9443", local=True)
    assert not judged("[::1]:9443", "[::1]:9443", local=True)
    assert "not among" in judged("::/0", "[::ffff:10.0.0.1]:443")  # the address inside counts
    assert not judged("public,10.0.0.5:5432", "10.0.0.5:5432") and not judged(
        "public,10.0.0.5:5432", "8.8.8.8:80"
    )


async def test_addresses_inside_addresses_are_found() -> None:
    inside = {"::ffff:10.0.0.1", "2002:a00:1::", "64:ff9b::a00:1", "::a00:1", "2001:0:a00:1::"}
    for text in inside:
        assert IPv4Address("10.0.0.1") in forms(ip_address(text)), text


async def test_a_name_is_written_in_one_way() -> None:
    assert {plain_name(t) for t in ("A.Example", "a.example.", "a。example", "ⓐ.example")} == {
        "a.example"
    }
    for text in ("", "a b", "a/b", "a..b", "-a", "a\0b", "a@b", "x" * 254, "<broadcast>", "[::1]"):
        with pytest.raises(ValueError, match="is not a host name"):
            plain_name(text)


async def test_public_is_what_everybody_can_reach() -> None:
    for text in ("8.8.8.8", "93.184.216.34", "2606:4700::1111", "2a00:1450:4001::1", "192.0.1.1"):
        assert public(ip_address(text)), text


@pytest.mark.parametrize(
    ("setting", "values"),
    [
        ("BOT_EGRESS", ("", "none", "")),
        ("BOT_EGRESS", ("a b", "80", "")),
        ("BOT_EGRESS", ("none,public", "80", "")),
        ("BOT_EGRESS", ("", "80", "")),
        ("BOT_EGRESS", ("a.example:http", "80", "")),
        ("BOT_EGRESS", ("https://a.example", "80", "")),
        ("BOT_EGRESS_PORTS", ("public", "80,x", "")),
        ("BOT_EGRESS_PORTS", ("public", "0", "")),
        ("BOT_EGRESS_PORTS", ("public", "65536", "")),
        ("BOT_EGRESS_RESOLVE", ("public", "80", "a.example")),
        ("BOT_EGRESS_RESOLVE", ("public", "80", "a.example=127.0.0.1:1")),
        ("BOT_EGRESS_RESOLVE", ("public", "80", "a.example:1=127.0.0.1")),
        ("BOT_EGRESS_RESOLVE", ("public", "80", "a.example:1=b.example:1")),
    ],
)
async def test_a_setting_that_cannot_be_read_is_named(
    setting: str, values: tuple[str, str, str]
) -> None:
    with pytest.raises(BadEgress, match=setting if values[1] != "none" else "BOT_EGRESS"):
        read_egress(*values)


async def test_a_file_without_certificates_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("hello")
    for name in ("ca.pem", "missing.pem"):
        with pytest.raises(BadEgress, match=f"BOT_EGRESS_CA_FILE=.*{name}"):
            Broker(ca_file=tmp_path / name)


async def test_every_address_of_this_machine_is_known() -> None:
    assert is_local(ip_address("127.0.0.1")) and is_local(ip_address("127.9.9.9"))
    assert not is_local(ip_address("93.184.216.34"))
    mine = Dialer(Egress(everywhere=True), local=lambda address: True)
    with pytest.raises(Refused, match="this server itself"):
        await mine.locate("8.8.8.8", 80)
