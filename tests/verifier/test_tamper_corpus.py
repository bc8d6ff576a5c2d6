"""Every attack on a record is caught under its code: on games played at random, as they are read
here, and from a file through the command."""

from __future__ import annotations

import base64
import io
import json
import os
import random
import warnings
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio

from mcp_multiplayer.service.log_keys import LogKey
from mcp_multiplayer.transcript import merkle, proofs
from mcp_multiplayer.transcript.canonical_json import canonical
from mcp_multiplayer.verifier import replay
from mcp_multiplayer.verifier.__main__ import main
from mcp_multiplayer.verifier.executor import Executor
from tests.sample import sample
from tests.verifier import (
    forgeries_dice,
    forgeries_play,
    forgeries_room,
    forgeries_unsigned,
    forgeries_words,
)
from tests.verifier.forging import ATTACKS, NOT_PROVEN, Attack
from tests.verifier.games import (
    KEY,
    Bundle,
    codes,
    inserted,
    reforge,
    signed,
    states,
    verify,
    violations,
)
from tests.verifier.matches import World, replayer, world
from tests.verifier.records import KINDS, NEXT, opened

pytestmark = pytest.mark.asyncio(loop_scope="module")

assert (  # they fill the list
    forgeries_dice and forgeries_play and forgeries_room and forgeries_unsigned and forgeries_words
)
NAMED = {attack.name: attack for attack in ATTACKS}
GAMES, ROUNDS = 2, 6  #: of each kind: always, and in the long run


@pytest.fixture(scope="module")
def judge() -> Iterator[Executor]:
    with replayer() as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with world(tmp_path_factory.mktemp("tls")) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def played(house: World) -> dict[str, list[Bundle]]:
    """Finished games of each kind."""
    return await _played(house, range(GAMES))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def many(house: World) -> dict[str, list[Bundle]]:
    return await _played(house, range(GAMES, GAMES + ROUNDS))


async def _played(house: World, seeds: range) -> dict[str, list[Bundle]]:
    return {
        kind: [await play(house, random.Random(f"{kind} {n}")) for n in seeds]
        for kind, play in KINDS.items()
    }


def caught(attack: Attack, found: set[str], bad: set[str], lines: dict[str, str]) -> None:
    assert attack.code in found, (found, lines)
    assert lines[attack.line] == attack.state, (found, lines)
    if attack.state == NOT_PROVEN:
        assert not bad


def _said(data: bytes) -> tuple[set[str], set[str], dict[str, str]]:
    """What the command has printed with --json."""
    report = json.loads(data)
    found = {one["code"] for one in report["findings"]}
    bad = {code for code in found if code.startswith("E_")}
    return found, bad, {one["line"]: one["state"] for one in report["verdict"]}


def from_a_file(
    attack: Attack,
    honest: Bundle,
    rng: random.Random,
    directory: Path,
    output: pytest.CaptureFixture[bytes],
) -> None:
    file = attack.on(honest, rng).save(directory / "forged.zip")
    code = main([str(file), "--json"])
    found, bad, lines = _said(output.readouterr().out)
    caught(attack, found, bad, lines)
    assert code == (2 if attack.state == NOT_PROVEN else 1)
    assert (directory / "evidence").exists() is (code == 1)


class Lent:
    """A jail that outlives the command which believes that it is its own."""

    def __init__(self, jail: Executor) -> None:
        self.run, self.inspect, self.others = jail.run, jail.inspect, jail.others
        self.walls = "as ever"

    def close(self) -> None:
        pass


async def test_the_games_that_are_forged_are_honest(
    played: dict[str, list[Bundle]], judge: Executor
) -> None:
    for kind, games in played.items():
        for game in games:
            checked = verify(game, judge)
            assert not violations(checked), (kind, checked.findings.found)
            assert states(checked)["RULES"] == states(checked)["RECORD"] == "PROVEN", (
                kind,
                checked.findings.found,
            )


async def test_the_corpus_is_large_enough_and_each_attack_is_one() -> None:
    assert len(NAMED) == len(ATTACKS) >= 100


#: The first forgery of each code.
ALWAYS = {attack.code: attack.name for attack in reversed(ATTACKS)}.values()


@pytest.mark.parametrize("name", sample(NAMED, ALWAYS))
async def test_it_is_caught(
    played: dict[str, list[Bundle]],
    judge: Executor,
    tmp_path: Path,
    capsysbinary: pytest.CaptureFixture[bytes],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    """On one game as it is read here, on another from a file through the command."""
    attack = NAMED[name]
    rng = random.Random(name)
    one, other = rng.sample(played[attack.kind], 2)
    forged = attack.on(one, rng)
    assert forged.members() != one.members()
    checked = verify(forged, judge)
    caught(attack, codes(checked), violations(checked), states(checked))
    if name in ALWAYS and rng.randrange(4):  # the others with --all
        return
    monkeypatch.setattr(replay, "Replayer", lambda *_, **__: Lent(judge))
    from_a_file(attack, other, rng, tmp_path, capsysbinary)


@pytest.mark.long
@pytest.mark.parametrize("name", NAMED)
async def test_it_is_caught_in_many_rounds(
    many: dict[str, list[Bundle]],
    judge: Executor,
    tmp_path: Path,
    capsysbinary: pytest.CaptureFixture[bytes],
    name: str,
) -> None:
    """On games of many seeds; the command makes a jail of its own."""
    attack = NAMED[name]
    for n, honest in enumerate(many[attack.kind]):
        rng = random.Random(f"{name} {n}")
        checked = verify(attack.on(honest, rng), judge)
        caught(attack, codes(checked), violations(checked), states(checked))
    from_a_file(attack, many[attack.kind][-1], random.Random(name), tmp_path, capsysbinary)


async def test_dice_without_a_word_of_the_players_are_not_proven(
    house: World, judge: Executor
) -> None:
    """ "Server-only dice": nothing is wrong with the record, and nothing holds the server."""
    game = await opened(house, random.Random(1), preset="GuessBot")
    for who in ("alice", "bob"):
        await game.sit(who, None)
    await game.speak("alice", "concede")
    checked = verify(game.bundle(), judge)
    assert not violations(checked) and "I_RNG_SERVER" in codes(checked)
    assert states(checked)["DICE"] == NOT_PROVEN


# --- the file itself ---------------------------------------------------------------------------


def _packed(members: Sequence[tuple[str | zipfile.ZipInfo, bytes]], how: int = 8) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", how) as out:
        warnings.simplefilter("ignore")
        for name, data in members:
            out.writestr(name, data)
    return file.getvalue()


def _link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, 0o120777 << 16
    return info


def _with(*more: tuple[str | zipfile.ZipInfo, bytes]) -> Callable[[dict[str, bytes]], bytes]:
    return lambda members: _packed([*members.items(), *more])


def _instead(name: str, change: Callable[[bytes], bytes]) -> Callable[[dict[str, bytes]], bytes]:
    return lambda members: _packed([*{**members, name: change(members[name])}.items()])


def _encrypted(members: dict[str, bytes]) -> bytes:
    """As if every member were encrypted: the bit in the directory says so."""
    data = bytearray(_packed([*members.items()]))
    place = data.find(b"PK\x01\x02")
    while place >= 0:
        data[place + 8] |= 1
        place = data.find(b"PK\x01\x02", place + 4)
    return bytes(data)


def _size_lies(members: dict[str, bytes]) -> bytes:
    data = bytearray(_packed([*members.items()]))
    place = data.find(b"PK\x01\x02")
    data[place + 24] ^= 1
    return bytes(data)


ZIPS: dict[str, tuple[Callable[[dict[str, bytes]], bytes], str]] = {
    "two_members_of_one_name": (_with(("entries.jsonl", b"{}\n")), "E_BUNDLE"),
    "two_checkpoints": (_with(("checkpoint", b"x\n1\ny\n")), "E_BUNDLE"),
    "a_name_that_climbs": (_with(("../../.ssh/authorized_keys", b"x")), "E_BUNDLE"),
    "a_name_from_the_root": (_with(("/etc/passwd", b"x")), "E_BUNDLE"),
    "a_name_of_windows": (_with(("..\\\\x", b"x")), "E_BUNDLE"),
    "a_name_with_another_case": (_with(("CHECKPOINT", b"x")), "E_BUNDLE"),
    "a_directory": (_with(("blobs/", b"")), "E_BUNDLE"),
    "a_bomb": (_with(("README.txt", bytes(150 << 20))), "E_BUNDLE"),
    "a_link_for_a_checkpoint": (
        lambda members: _packed(
            [
                *((n, d) for n, d in members.items() if n != "checkpoint"),
                (_link("checkpoint"), b"/etc/passwd"),
            ]
        ),
        "E_SIGNATURE",
    ),
    "a_link_out_of_the_blobs": (_with((_link("blobs/" + "0" * 64), b"/etc/passwd")), "E_BLOB"),
    "entries_in_utf_16": (
        _instead("entries.jsonl", lambda data: data.decode().encode("utf-16")),
        "E_BUNDLE",
    ),
    "a_checkpoint_in_utf_16": (
        _instead("checkpoint", lambda data: data.decode().encode("utf-16")),
        "E_BUNDLE",
    ),
    "no_last_line_end": (_instead("entries.jsonl", lambda data: data[:-1]), "E_BUNDLE"),
    "encrypted_members": (_encrypted, "E_BUNDLE"),
    "packed_in_another_way": (lambda members: _packed([*members.items()], 12), "E_BUNDLE"),
}


@pytest.mark.parametrize("name", ZIPS)
async def test_a_zip_is_no_way_in(
    played: dict[str, list[Bundle]],
    tmp_path: Path,
    capsysbinary: pytest.CaptureFixture[bytes],
    name: str,
) -> None:
    make, code = ZIPS[name]
    file = tmp_path / "forged.zip"
    file.write_bytes(make(played["coin"][0].members()))
    assert main([str(file), "--json", "--no-exec", "--evidence", str(tmp_path / "e")]) == 1
    found, bad, lines = _said(capsysbinary.readouterr().out)
    assert code in bad and "E_UNFORESEEN" not in found, found
    assert lines["RECORD"] == "VIOLATED" and "PROVEN" not in lines.values()
    assert set(os.listdir(tmp_path)) == {"forged.zip", "e"}


#: What comes of a download that broke off, of a link that has expired, of the wrong file.
BROKEN: dict[str, Callable[[dict[str, bytes]], bytes]] = {
    "nothing": lambda members: b"",
    "the first half": lambda members: _half(_packed([*members.items()])),
    "all but the beginning": lambda members: _packed([*members.items()])[40:],
    "all but the end": lambda members: _packed([*members.items()])[:-40],
    "a byte that is another": lambda members: _flipped(_packed([*members.items()])),
    "a size that is not true": _size_lies,
    "a page about an error": lambda members: b"<!doctype html><title>Not found</title>",
    "a refusal": lambda members: b'{"error": "INVITE_INVALID"}',
    "another zip": lambda members: _packed([("README.txt", b"sun")]),
}


def _half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _flipped(data: bytes) -> bytes:
    """With one byte of the log itself exchanged, which its checksum notices."""
    place = data.index(b"entries.jsonl") + 40
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_download_accuses_nobody_and_says_what_to_do(
    played: dict[str, list[Bundle]],
    tmp_path: Path,
    capsysbinary: pytest.CaptureFixture[bytes],
    name: str,
) -> None:
    file = tmp_path / "broken.zip"
    file.write_bytes(BROKEN[name](played["coin"][0].members()))
    assert main([str(file), "--json"]) == 2
    report = json.loads(capsysbinary.readouterr().out)
    found = {one["code"] for one in report["findings"]}
    assert "I_BUNDLE" in found and not [code for code in found if code.startswith("E_")]
    record = next(one for one in report["verdict"] if one["line"] == "RECORD")
    assert "download it again" in record["settle"]
    assert {one["state"] for one in report["verdict"]} == {NOT_PROVEN}
    assert set(os.listdir(tmp_path)) == {"broken.zip"}


# --- two logs ------------------------------------------------------------------------------


async def test_a_word_rewritten_and_honestly_replayed_needs_a_kept_head(
    played: dict[str, list[Bundle]], judge: Executor
) -> None:
    """Nobody can tell from the file alone; with a note, a line or a receipt everybody can."""
    honest = played["guess"][0]
    forged = honest.copy()
    word = next(e for e in forged.of("msg") if e["m"]["b"]["text"].startswith("hello"))
    word["m"]["b"]["text"] = "I give up"
    reforge(forged)
    assert not violations(verify(forged, judge))
    size, root = len(honest.entries), honest.roots()[-1]
    hashes = [merkle.leaf_hash(canonical(entry)) for entry in honest.entries]
    proof = proofs.inclusion(hashes, word["i"])
    receipt = proofs.tlog_proof(word["i"], proof, honest.checkpoint or "")
    for wishes in (
        {"lines": [f"bob: {size} {root}"]},
        {"heads": [("bob", honest.checkpoint)]},
        {"receipts": [("bob", receipt)]},
    ):
        checked = verify(forged, judge, **wishes)
        assert "E_FORK" in violations(checked) and states(checked)["SAME FOR ALL"] == "VIOLATED"


async def test_a_record_that_was_rolled_back_is_shorter_than_a_kept_head(
    played: dict[str, list[Bundle]], judge: Executor
) -> None:
    """Cut right after the first end, a record is like any other; whoever saw more, sees it."""
    honest = played["coin"][0]
    forged = honest.copy()
    del forged.entries[forged.of("reveal")[0]["i"] + 1 :]
    forged.openings.clear()
    checked = verify(reforge(forged), judge, heads=[("bob", honest.checkpoint)])
    assert "I_LINE_AHEAD" in codes(checked) and not violations(checked)
    assert states(checked)["SAME FOR ALL"] == NOT_PROVEN
    inserted(forged, 3, {"t": "rename", "name": "another future", "ts": forged.entries[3]["ts"]})
    for _ in range(len(honest.entries) - len(forged.entries)):
        last = forged.entries[-1]
        forged.entries.append({"t": "rename", "name": f"x{len(forged.entries)}"})
        forged.entries[-1]["ts"] = last.get("ts", honest.of("msg")[-1]["ts"])
    checked = verify(reforge(forged), judge, heads=[("bob", honest.checkpoint)])
    assert "E_FORK" in violations(checked)


@pytest.mark.parametrize("early", [False, True])
async def test_changing_the_key_in_one_of_two_logs_hides_neither(
    played: dict[str, list[Bundle]], judge: Executor, early: bool
) -> None:
    """A note under the room's other key than it had at that size is still this server's."""
    record = played["change"][0]
    size = record.of("key")[0]["i"] + (0 if early else 1)
    other = NEXT if early else KEY
    origin, root = record.entries[0]["origin"], base64.b64decode(record.roots()[size])
    same, another = signed(origin, size, root, other), signed(origin, size, bytes(32), other)
    honest = verify(record, judge, heads=[("bob", same)])
    assert not violations(honest) and honest.heads and honest.heads.seen == {"bob": size}
    forked = verify(record, judge, heads=[("bob", another)])
    assert "E_FORK" in violations(forked) and states(forked)["SAME FOR ALL"] == "VIOLATED"
    (finding,) = [one for one in forked.findings.found if one.code == "E_FORK"]
    assert "or somebody else has that key" in finding.text
    stranger = signed(origin, size, bytes(32), LogKey(b"t" * 32))
    assert "I_ARGUMENT" in codes(checked := verify(record, judge, heads=[("bob", stranger)]))
    assert not violations(checked)


@pytest.mark.parametrize("key", [KEY, NEXT])
async def test_a_key_that_the_room_does_not_have_at_that_size_signs_no_record(
    played: dict[str, list[Bundle]], judge: Executor, key: LogKey
) -> None:
    forged = played["change"][0].copy()
    if key is NEXT:
        del forged.entries[forged.of("key")[0]["i"] :]
    assert "E_SIGNATURE" in violations(verify(reforge(forged, key), judge))
