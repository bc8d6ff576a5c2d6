"""TLSBot as scripts: against sites of ours with every kind of certificate."""

import asyncio
import contextlib
import random
import socket
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio
from cryptography import x509
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_multiplayer.sandbox.call import Failed, HookCall
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.sandbox.hostcalls.broker import Broker
from mcp_multiplayer.sandbox.hostcalls.egress import read_egress
from mcp_multiplayer.transcript.names import HOOKS
from mcp_multiplayer.workshop.table import Plain, Table, source_of
from tests.bots.certificates import Signed, serving, sign
from tests.bots.wandering import wander
from tests.sandbox.outside import listening, talking

SOURCE = source_of("tls_bot.py")
pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class World:
    """A sandbox whose internet are sites of ours, and what those show."""

    pool: Pool
    sites: dict[str, Signed]
    chain: list[Signed]


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def chatter(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.example.com ready\r\n" * 20)
    await writer.drain()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    root = sign("test root", None)
    middle = sign("test middle", root)
    stranger = sign("unknown root", None)
    sites = {
        "good.example.com": sign("good", middle, ("good.example.com", "www.example.com")),
        "expired.example.com": sign("old", middle, ("expired.example.com",), (-9, -1)),
        "early.example.com": sign("new", middle, ("early.example.com",), (1, 9)),
        "self.example.com": sign("self", None, ("self.example.com",)),
        "unknown.example.com": sign("unknown", stranger, ("unknown.example.com",)),
        "name.example.com": sign("name", middle, ("another.example.com",)),
    }
    ca = tmp_path_factory.mktemp("ca") / "root.pem"
    ca.write_text(ssl.DER_cert_to_PEM_cert(root.der))
    async with contextlib.AsyncExitStack() as stack:
        ports = {"nobody.example.com": 1}
        for name, leaf in sites.items():
            more = [middle] if leaf.certificate.issuer == middle.certificate.subject else []
            tls = serving(tmp_path_factory.mktemp("site"), leaf, *more)
            ports[name] = (await stack.enter_async_context(listening(tls))).port
        for name, talk in (("silent.example.com", silence), ("mail.example.com", chatter)):
            ports[name] = await stack.enter_async_context(talking(talk))
        resolve = ",".join(f"{name}:443=127.0.0.1:{port}" for name, port in ports.items())
        pool = Pool(broker=Broker(read_egress("none", "443", resolve), ca_file=ca))
        await pool.start()
        yield World(pool, sites, [middle, root])
        await pool.close()


def new(runner: Any, **params: Any) -> Table:
    made = Table(runner, SOURCE, params, bot_id="tls")
    made.now = time.time()
    return made


async def look(world: World, name: str) -> dict[str, Any]:
    table = new(world.pool, host=name)
    await table.begin("alice", "bob")
    (said,) = await table.say("bob", "check")
    assert (said["type"], said["host"], said["port"]) == ("certificate", name, 443)
    return said


async def test_it_is_announced_with_its_manifest_and_hooks(pool: Pool) -> None:
    report = await pool.inspect(SOURCE)
    assert report.class_name == "TLSBot"
    assert set(report.hooks) == set(HOOKS) - {"on_join"}
    assert report.manifest is not None and report.manifest["label"] == "tls"
    assert report.network and not report.dice


def iso(moment: Any) -> str:
    return str(moment.strftime("%Y-%m-%dT%H:%M:%SZ"))


async def test_a_good_certificate_is_told_as_it_is(world: World) -> None:
    said, site = await look(world, "good.example.com"), world.sites["good.example.com"]
    certificate = site.certificate
    issuer = "C=DE, O=Tests, Ltd, CN=test middle"
    assert said["valid"] is True and said["text"].startswith("valid for good.example.com, from ")
    assert said["fingerprint"] == site.fingerprint
    assert (said["subject"], said["issuer"]) == ("C=DE, O=Tests, Ltd, CN=good", issuer)
    assert int(said["serial"], 16) == certificate.serial_number
    assert said["names"] == ["good.example.com", "www.example.com"]
    assert said["valid_from"] == iso(certificate.not_valid_before_utc)
    assert said["valid_to"] == iso(certificate.not_valid_after_utc)
    assert said["days_left"] == 1 and said["changed"] is False and said["first_seen"] == said["at"]
    assert said["protocol"] == "TLSv1.3" and said["cipher"].startswith("TLS_")
    links = [site, *world.chain] if said["whole_chain"] else [site]
    assert [one["fingerprint"] for one in said["chain"]] == [one.fingerprint for one in links]


PROBLEMS = {
    "expired.example.com": "it has expired",
    "early.example.com": "it is not valid yet",
    "self.example.com": "it is self-signed: it vouches for itself, and no authority does",
    "unknown.example.com": "it was issued by an authority that is not trusted here, or its site",
    "name.example.com": "it is for other names",
}


@pytest.mark.parametrize("name", PROBLEMS)
async def test_a_bad_certificate_is_shown_with_what_is_wrong(world: World, name: str) -> None:
    said = await look(world, name)
    assert said["valid"] is False
    assert said["text"].startswith(f"NOT valid for {name}: {PROBLEMS[name]}")
    assert said["fingerprint"] == world.sites[name].fingerprint
    assert (said["days_left"] < 0) == (name == "expired.example.com")


WORDS = {
    "silent.example.com": "no answer in time",
    "mail.example.com": "no TLS is spoken there, or none that is accepted here",
    "nobody.example.com": "it cannot be reached",
    "elsewhere.example.com": "this server does not let referees reach it",
    "127.0.0.1": "this server does not let referees reach it",
}


@pytest.mark.parametrize("name", WORDS)
async def test_without_a_certificate_it_says_why(world: World, name: str) -> None:
    said = await look(world, name)
    assert said["valid"] is False and said["text"] == f"{name}: {WORDS[name]}"


async def test_what_was_seen_when_is_remembered_and_a_change_is_told(world: World) -> None:
    table = new(world.pool, host="good.example.com")
    await table.begin("alice", "bob")
    assert table.movers == ["alice", "bob"] and table.seconds == 86400
    assert table.expect["body"] == ["check good.example.com", "done"]
    assert "no certificate" in await table.refused("bob", "compare " + "0" * 64)
    (first,) = await table.say("alice", "check")
    assert table.expect["body"] == ["done", "check good.example.com"]
    table.now += 60
    table.state["seen"]["good.example.com:443"][0]["fingerprint"] = "sha256:other"
    (second,) = await table.say("bob", "CHECK good.example.com:443")
    assert second["changed"] is True and second["before"] == "sha256:other"
    assert second["first_seen"] == second["at"] != first["at"]
    (third,) = await table.say("bob", "check Good.Example.com.")
    assert third["changed"] is False and third["first_seen"] == second["at"]
    (told,) = await table.say("alice", "history good.example.com")
    sights = told["seen"]["good.example.com:443"]
    assert [sight["at"] for sight in sights] == [first["at"], second["at"], third["at"]]
    (told,) = await table.say("alice", "history")
    assert told["seen"] == {"good.example.com:443": sights[-1:]}
    for given_digits, same in ((third["fingerprint"].upper(), True), ("ab:" * 31 + "ab", False)):
        (compared,) = await table.say("bob", f"compare {given_digits}")
        assert (compared["same"], compared["site"]) == (same, "good.example.com:443")


async def test_it_is_over_when_all_are_done_and_goes_on_when_all_want_it(world: World) -> None:
    table = new(world.pool, host="good.example.com", checks=1)
    await table.begin("alice", "bob")
    move = {"type": "move", "game": "tls", "action": "check", "value": "expired.example.com"}
    await table.say("alice", move)
    assert table.expect["body"] == ["done"]
    assert await table.refused("bob", "check") == "all 1 checks are made"
    await table.say("alice", "done")
    assert table.movers == ["bob"]
    assert "waiting" in await table.refused("alice", "done")
    await table.say("bob", "done")
    assert table.end == {"winners": [], "reason": "all are done; checks: 1, valid: 0"}
    assert "over" in await table.refused("bob", "check")
    await table.say("alice", "rematch")
    assert "waiting" in await table.refused("alice", "rematch")
    await table.say("bob", "rematch")
    (told,) = await table.say("bob", "history")
    assert list(told["seen"]) == ["expired.example.com:443"]


@pytest.mark.parametrize("how", ["late", "leave"])
async def test_silence_ends_it_and_who_leaves_is_done(how: str) -> None:
    table = new(Plain(), seconds=60)
    await table.begin("alice", "bob")
    await table.say("alice", "done")
    await (table.late() if how == "late" else table.leave("bob"))
    assert table.end is not None and table.end["winners"] == []
    assert await table.call("on_timer", "turn") == []


async def test_one_who_is_left_goes_on_alone_and_who_sits_down_again_takes_part() -> None:
    table = new(Plain())
    await table.begin("alice", "bob")
    await table.leave("bob")
    await table.say("alice", "done")
    assert table.end is not None
    await table.say("alice", "rematch")
    assert table.end is None and table.movers == ["alice"]
    table.players.append("bob")
    await table.say("alice", "done")
    assert table.movers == ["bob"]
    await table.say("bob", "done")
    assert table.end is not None


async def test_what_is_no_move_changes_nothing_and_says_why() -> None:
    table = new(Plain(), hosts=["a.example.com", "b.example.com:8443"])
    table.players = ["alice"]
    assert "not started" in await table.refused("alice", "check")
    table.players = []
    await table.begin("alice", "bob")
    assert table.expect["body"] == ["check a.example.com", "done"]
    assert "not a player" in await table.refused("carol", "check")
    assert "still going on" in await table.refused("alice", "rematch")
    for value in ("https://a.example.com", "a..example.com", "-a.b", "a:0", "a:70000", 5.5, ["a"]):
        move = {"type": "move", "game": "tls", "action": "check", "value": value}
        assert "a site is a name" in await table.refused("alice", move), value
    only = await table.refused("alice", "check c.example.com")
    assert only == "only these are checked here: a.example.com, b.example.com:8443"
    assert "only these" in await table.refused("alice", "check b.example.com")
    assert "the moves are" in await table.refused(
        "alice", {"type": "move", "game": "tls", "action": "hack"}
    )
    for chat in ("hello", "check it out", {"x": 1}):
        assert await table.say("bob", chat) == []
    (answer,) = await table.say("bob", "!help")
    assert "compare FINGERPRINT" in answer["text"]


@pytest.mark.parametrize("params", [{"host": "https://x"}, {"hosts": []}, {"hosts": ["a b"]}])
async def test_params_that_make_no_session_are_refused(pool: Pool, params: dict[str, Any]) -> None:
    result = await pool.run(HookCall(SOURCE, "on_init", params=params))
    assert isinstance(result, Failed) and result.error == "ValueError"


# Certificates by hand: read by the bot and by the library that made them

NAME = st.from_regex(r"[a-z][a-z0-9]{0,20}\.example\.com", fullmatch=True)


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(
    subject=st.text(st.characters(categories=["L", "Nd"]), min_size=1, max_size=40),
    names=st.lists(NAME, min_size=1, max_size=40),
    begin=st.integers(-20000, 0),
    length=st.integers(1, 30000),
)
async def test_any_certificate_is_read_as_its_maker_reads_it(
    subject: str, names: list[str], begin: int, length: int
) -> None:
    made = sign(subject, None, tuple(names), (begin, begin + length))
    read = Plain().space(SOURCE)["read_certificate"](made.der)
    certificate = made.certificate
    assert read["fingerprint"] == made.fingerprint
    assert read["subject"] == read["issuer"] == f"C=DE, O=Tests, Ltd, CN={subject}"
    assert int(read["serial"], 16) == certificate.serial_number
    assert read["from"] == int(certificate.not_valid_before_utc.timestamp())
    assert read["to"] == int(certificate.not_valid_after_utc.timestamp())
    listed = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert read["names"] == listed.value.get_values_for_type(x509.DNSName)


LEAF = sign("site", None, ("good.example.com",))


@settings(max_examples=200, suppress_health_check=list(HealthCheck))
@given(
    cut=st.integers(0, len(LEAF.der)),
    at=st.integers(0, len(LEAF.der) - 1),
    byte=st.binary(max_size=9),
)
async def test_what_is_broken_is_unreadable_and_nothing_worse(
    cut: int, at: int, byte: bytes
) -> None:
    space = Plain().space(SOURCE)
    broken = (LEAF.der[:at] + byte + LEAF.der[at + len(byte) :])[:cut]
    with contextlib.suppress(space["Unreadable"]):
        assert space["read_certificate"](broken)["fingerprint"].startswith("sha256:")


class Line:
    """A connection to a site of tests, as Python 3.13 has it."""

    def __init__(self, chain: list[bytes]) -> None:
        self.chain = chain

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: Any) -> None:
        pass

    def getpeercert(self, binary_form: bool) -> bytes:
        return self.chain[0]

    def get_verified_chain(self) -> list[bytes]:
        return self.chain

    get_unverified_chain = get_verified_chain

    def version(self) -> str:
        return "TLSv1.3"

    def cipher(self) -> tuple[str, str, int]:
        return ("TLS_AES_128_GCM_SHA256", "TLSv1.3", 128)


def offline(chance: random.Random, *chain: Signed) -> Plain:
    """The bot in this process, with sites that answer by chance."""
    plain = Plain()
    space = plain.space(SOURCE)

    def connect(place: Any, timeout: float) -> Line:
        failure = chance.choice([None, None, TimeoutError(), PermissionError(), OSError(5, "x")])
        if failure:
            raise failure
        return Line([one.der for one in chain])

    def wrap(raw: Line, server_hostname: str) -> Line:
        if chance.random() < 0.2:
            raise ssl.SSLError(1, "wrong version")
        return raw

    context = SimpleNamespace(wrap_socket=wrap)
    names = ("SSLError", "SSLCertVerificationError", "CERT_NONE")
    real = {name: getattr(ssl, name) for name in names}
    space["ssl"] = SimpleNamespace(create_default_context=lambda: context, **real)
    space["socket"] = SimpleNamespace(create_connection=connect, gaierror=socket.gaierror)
    return plain


async def test_the_whole_chain_is_shown_where_python_tells_it() -> None:
    root = sign("root", None)
    leaf = sign("leaf", root, ("example.com",))
    table = new(offline(random.Random(1), leaf, root))
    await table.begin("alice", "bob")
    for _ in range(20):
        await table.say("alice", "check")
    said = next(one for one in table.said("certificate") if one["valid"])
    assert said["whole_chain"] is True
    assert [(one["subject"][-4:], one["fingerprint"]) for one in said["chain"]] == [
        ("leaf", leaf.fingerprint),
        ("root", root.fingerprint),
    ]


async def test_a_name_that_nobody_has_is_told() -> None:
    plain = Plain()

    def nowhere(place: Any, timeout: float) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    stand_in = SimpleNamespace(create_connection=nowhere, gaierror=socket.gaierror)
    plain.space(SOURCE)["socket"] = stand_in
    table = new(plain)
    await table.begin("alice", "bob")
    (said,) = await table.say("alice", "check")
    assert said["text"] == "example.com: there is no such name"


NONSENSE = ["check https://x", "compare", "compare 12", "hello", "!help", "rematch", {"x": 1}]


async def any_session(seed: int) -> None:
    """Played at random to the end; the counts are worked out again from what was said."""
    chance = random.Random(seed)
    table = new(offline(chance, LEAF), checks=chance.randint(1, 9))
    await table.begin(*["alice", "bob", "carol"][: chance.randint(1, 3)])
    await wander(table, chance, NONSENSE)
    looks = table.said("certificate")
    valid = sum(one["valid"] for one in looks)
    assert table.end is not None
    assert table.end["reason"].endswith(f"checks: {len(looks)}, valid: {valid}")


async def test_a_few_sessions_at_random_end() -> None:
    for seed in range(40):
        await any_session(seed)


@pytest.mark.long
async def test_a_thousand_sessions_at_random_end() -> None:
    for seed in range(1000):
        await any_session(seed)
