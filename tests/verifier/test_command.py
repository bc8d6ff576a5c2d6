"""The command: exit codes, what it prints and writes, hostile files, and the single file."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import runpy
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from mcp_multiplayer.verifier import archive, build, report
from mcp_multiplayer.verifier.__main__ import main
from mcp_multiplayer.verifier.check import Wishes, check_file
from mcp_multiplayer.verifier.findings import Violation
from tests.verifier.games import Bundle, Table, reforge

played = pytest.mark.asyncio(loop_scope="module")  # needs a game


def run(*arguments: str | Path) -> int:
    return main([str(argument) for argument in arguments])


@played
async def test_the_exit_code_says_what_came_of_it(
    guess: Bundle, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    file = guess.save(tmp_path / "game.zip")
    assert run(file, "--no-exec") == 2
    lines = [f"{label}: {len(guess.entries)} {guess.roots()[-1]}" for label in ("alice", "bob")]
    more = [argument for line in lines for argument in ("--line", line)]
    assert run(file, *more, "--confirm", "alice", "--confirm", "bob") == 0
    assert not (tmp_path / "evidence").exists()
    forged = guess.copy()
    forged.of("msg")[0]["m"]["c"] = 9
    assert run(reforge(forged).save(tmp_path / "forged.zip"), "--no-exec") == 1
    assert run(tmp_path / "nothing.zip") == 3
    assert run(file, "--head-of", "bob") == 3
    assert b"VIOLATED    RECORD" in capsysbinary.readouterr().out


@played
async def test_a_violation_leaves_evidence(
    guess: Bundle, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    kept = tmp_path / "bob.note"
    kept.write_text(guess.checkpoint or "")
    forged = guess.copy()
    run_ = next(entry for entry in forged.of("run") if entry["hook"] == "on_message")
    run_["out"][0]["b"]["result"] = "correct"
    file = reforge(forged).save(tmp_path / "forged.zip")
    assert run(file, "--head-of", f"bob={kept}", "--evidence", tmp_path / "proof") == 1
    files = {path.name: path.read_text() for path in (tmp_path / "proof").iterdir()}
    place = run_["i"]
    assert {"README.txt", "report.txt", "report.json", "head-1.note", "head-2.note"} <= set(files)
    assert json.loads(files[f"entry-{place}.json"])["out"][0]["b"]["result"] == "correct"
    assert json.loads(files[f"expected-{place}.json"])["out"][0]["b"]["result"] != "correct"
    assert {files["head-1.note"], files["head-2.note"]} == {guess.checkpoint, forged.checkpoint}
    assert b"evidence: " in capsysbinary.readouterr().err


@played
async def test_evidence_is_of_the_last_run_alone(guess: Bundle, tmp_path: Path) -> None:
    file, proof = guess.save(tmp_path / "game.zip"), tmp_path / "proof"
    proof.mkdir()
    (proof / "head-9.note").write_text("somebody's own")
    how = (file, "--no-exec", "--evidence", proof)
    assert run(*how, "--gave", "bob=another value than bob gave") == 1
    assert (proof / "head-9.note").exists()
    assert list(proof.glob("entry-*.json"))
    assert run(*how, "--line", "bob: 3 AAAAAAAA") == 1
    assert {path.name for path in proof.iterdir()} == {
        *("README.txt", "report.txt", "report.json", "head-1.note")
    }


@played
async def test_no_evidence_is_written_through_a_link(
    guess: Bundle, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Whoever packs a record may pack a link called evidence with it."""
    private, place = tmp_path / "private", tmp_path / "game"
    private.mkdir()
    place.mkdir()
    (private / "report.txt").write_text("my own")
    (place / "evidence").symlink_to(private)
    file = guess.save(place / "game.zip")
    broken = (file, "--no-exec", "--gave", "bob=another value than bob gave")
    assert run(*broken) == 1
    assert [path.name for path in private.iterdir()] == ["report.txt"]
    assert b"no evidence could be written" in capsysbinary.readouterr().err
    (place / "evidence").unlink()
    (place / "evidence").mkdir()
    os.link(private / "report.txt", place / "evidence" / "report.txt")
    assert run(*broken) == 1
    assert (private / "report.txt").read_text() == "my own"
    assert "VIOLATED" in (place / "evidence" / "report.txt").read_text()


@played
async def test_what_strangers_wrote_does_not_reach_the_terminal_as_it_is(
    server: Table, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    game = await (await server.open()).seated()
    evil = "\x1b[2J\x1b]0;owned\x07\r\nPROVEN      RULES \u202e\u2028\u0085 x"
    await game.say("alice", evil)
    honest = game.bundle()
    for more in ((), ("--json",)):
        run(honest.save(tmp_path / "game.zip"), "--no-exec", *more)
        out = capsysbinary.readouterr().out.decode()
        assert all(mark == "\n" or (mark.isprintable()) for mark in out)
        assert "\nPROVEN" not in out


def test_text_is_escaped_mark_by_mark() -> None:
    assert report.safe("a b\n\x1b\u202e\U000e0001é") == "a b\\u000a\\u001b\\u202e\\U000e0001é"


# --- hostile files -----------------------------------------------------------------------------


def packed(members: dict[str, bytes] | list[tuple[str, bytes]]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, data in members.items() if isinstance(members, dict) else members:
            bundle.writestr(name, data)
    return file.getvalue()


LINE = {"entries.jsonl": b"{}\n"}
HOSTILE: dict[str, bytes] = {
    "a path": packed({**LINE, "../../etc/passwd": b"x"}),
    "an absolute path": packed({**LINE, "/etc/passwd": b"x"}),
    "another name": packed({**LINE, "blobs/XYZ": b"x"}),
    "a bomb": packed({"entries.jsonl": b"\n" * (100 << 20)}),
    "many entries": packed({"entries.jsonl": b"{}\n" * 1_000_001}),
    "a broken line": packed({"entries.jsonl": b"{}"}),
    "no text": packed({**LINE, "checkpoint": b"\xff"}),
    "openings": packed({**LINE, "openings.jsonl": b'{"id":1}\n'}),
    "openings of openings": packed({**LINE, "openings.jsonl": b"[" * 5000 + b"\n"}),
    "nested": packed({"entries.jsonl": b"[" * 60_000 + b"]" * 5_000 + b"\n"}),
    "a number": packed({"entries.jsonl": b"1" * 9_000 + b"\n"}),
    "no object": packed({"entries.jsonl": b"[]\n"}),
    "half an object": packed({"entries.jsonl": b'{"t":"genesis"\n'}),
    "no genesis": packed({"entries.jsonl": b'{"i":0,"t":"close","ts":1}\n'}),
    "an odd type": packed({"entries.jsonl": b'{"i":0,"t":{},"ts":1}\n'}),
    "version 9": packed({"entries.jsonl": b'{"i":0,"t":"genesis","ts":1,"v":9}\n'}),
}


@pytest.mark.parametrize("version", ["mpx-log/0", "mpx-log/1", "mpx-log/3", "mpx-log/9999"])
def test_a_record_of_another_format_is_not_judged(version: str, tmp_path: Path) -> None:
    path = tmp_path / "other.zip"
    first = b'{"i":0,"t":"genesis","ts":1,"v":"%s"}\n' % version.encode()
    path.write_bytes(packed({"entries.jsonl": first}))
    checked = check_file(path, Wishes(execute=False))
    assert [one.code for one in checked.findings.found if one.violated] == []
    assert "I_FORMAT" in {one.code for one in checked.findings.found} and checked.exit_code == 2


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_a_violation_and_no_crash(
    name: str, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    file = tmp_path / "hostile.zip"
    file.write_bytes(HOSTILE[name])
    assert run(file, "--json") == 1
    said: dict[str, Any] = json.loads(capsysbinary.readouterr().out)
    codes = {finding["code"] for finding in said["findings"]}
    assert any(code.startswith("E_") for code in codes) and "E_UNFORESEEN" not in codes
    assert "PROVEN" not in {line["state"] for line in said["verdict"]}


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "twice.zip"
    file.write_bytes(packed([("entries.jsonl", b"{}\n"), ("entries.jsonl", b"[]\n")]))
    with pytest.raises(Violation, match="two members"):
        archive.read(file)


@played
@pytest.mark.parametrize("apart", [499, pytest.param(97, marks=pytest.mark.long)])
async def test_flipped_bytes_of_a_file_do_not_crash_it(
    guess: Bundle, tmp_path: Path, apart: int
) -> None:
    whole = guess.zip()
    file = tmp_path / "flipped.zip"
    for place in range(0, len(whole), apart):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1 :])
        assert run(file, "--no-exec", "--json", "--evidence", tmp_path / "e") in (1, 2)


# --- the single file ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pyz") / "verifier.pyz"
    path.write_bytes(build.build())
    for directory in (path.parent, path.parent.parent):
        directory.chmod(0o755)
    return path


@pytest.fixture(scope="module")
def digest(pyz: Path) -> str:
    return hashlib.sha256(pyz.read_bytes()).hexdigest()


def test_the_same_sources_make_the_same_file(pyz: Path) -> None:
    assert build.build() == pyz.read_bytes()


@played
async def test_a_report_names_the_file_that_made_it_by_its_hash(
    pyz: Path, digest: str, guess: Bundle, tmp_path: Path
) -> None:
    done = elsewhere(pyz, guess, tmp_path / "there")
    told = json.loads(done.stdout)["verifier"]
    assert told == {"file": "verifier.pyz", "sha256": digest}


@played
async def test_an_installed_verifier_names_the_file_that_its_sources_make(
    digest: str, guess: Bundle, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    run(guess.save(tmp_path / "game.zip"), "--no-exec")
    said = capsysbinary.readouterr().out.decode()
    assert f"  verifier     an installed package\n    sha256     {digest}\n" in said
    assert "compares its sha256 with the project's release" in " ".join(said.split())


def test_it_holds_what_it_needs_and_no_more(pyz: Path) -> None:
    with zipfile.ZipFile(pyz) as bundle:
        names = set(bundle.namelist())
    tops = {name.split("/")[0].removesuffix(".py") for name in names}
    assert tops == {
        *("__main__", "mcp_multiplayer", "licences"),
        *("RestrictedPython", "certifi", "charset_normalizer", "idna", "requests", "urllib3"),
    }
    server_only = (
        "mcp_multiplayer/service/log_keys.py",
        "mcp_multiplayer/service/signing.py",
        "mcp_multiplayer/storage/sqlite.py",
    )
    assert not names & set(server_only)


def elsewhere(
    pyz: Path, guess: Bundle, place: Path, **how: Any
) -> subprocess.CompletedProcess[bytes]:
    """Run the file as a stranger would: no packages, no environment, another directory."""
    python = how.pop("python", sys.executable)
    place.mkdir(mode=0o755)
    shutil.copy(pyz, place / "verifier.pyz")
    guess.save(place / "game.zip")
    for path in place.iterdir():
        path.chmod(0o644)
    (place / "cwd").mkdir(mode=0o777)
    (place / "cwd").chmod(0o777)
    return subprocess.run(
        [python, "-I", "-S", str(place / "verifier.pyz"), str(place / "game.zip"), "--json"],
        cwd=place / "cwd",
        env={"TMPDIR": str(place / "cwd"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=False,
        timeout=120,
        **how,
    )


@played
async def test_it_runs_with_nothing_but_python(pyz: Path, guess: Bundle, tmp_path: Path) -> None:
    done = elsewhere(pyz, guess, tmp_path / "there")
    assert done.returncode == 2, done.stderr
    said = json.loads(done.stdout)
    state = {line["line"]: line["state"] for line in said["verdict"]}
    assert state["RULES"] == state["RECORD"] == state["DICE"] == "PROVEN", said
    assert said["executed"] > 0


def strangers_python() -> str:
    """A Python that is not below a directory of root's own."""
    for path in (Path(sys.executable).resolve(), Path("/usr/bin/python3.11")):
        if path.exists() and all(above.stat().st_mode & stat.S_IXOTH for above in path.parents):
            return str(path)
    pytest.skip("every Python here is root's own")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
@played
async def test_it_runs_as_another_user(pyz: Path, guess: Bundle, in_public: Path) -> None:
    python = strangers_python()
    nobody: dict[str, Any] = {"user": 65534, "group": 65534, "extra_groups": []}
    done = elsewhere(pyz, guess, in_public / "there", python=python, **nobody)
    assert done.returncode == 2, done.stderr
    state = {line["line"]: line["state"] for line in json.loads(done.stdout)["verdict"]}
    assert state["RULES"] == state["RECORD"] == "PROVEN"


@played
async def test_a_python_without_our_packages_is_told_which_and_what_to_use(
    guess: Bundle, tmp_path: Path
) -> None:
    file = guess.save(tmp_path / "game.zip")
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-S", "-m", "mcp_multiplayer.verifier", str(file), "--json"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2, done.stderr
    rules = json.loads(done.stdout)["verdict"][0]
    assert rules["state"] == "NOT PROVEN"
    assert "the Python package RestrictedPython is missing here" in rules["reason"]
    assert "verifier.pyz" in rules["settle"]
    assert "--no-exec" not in rules["reason"] + rules["settle"]


@pytest.mark.parametrize("version", [(3, 8), (3, 10)])
def test_an_old_python_is_told_so_before_anything_else(
    version: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "version_info", version)
    with pytest.raises(SystemExit, match=r"needs Python 3\.11 or later"):
        runpy.run_path(str(Path(build.__file__).with_name("__main__.py")), run_name="__main__")
