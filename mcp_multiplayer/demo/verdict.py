"""The verifier, run as a member would: in a process of its own, on a file and on what was kept.

On the other side is its command line: `python -m mcp_multiplayer.verifier FILE --json` and exit
codes 0, 1, 2.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp_multiplayer.demo.pair import ROOT
from mcp_multiplayer.demo.players import Game, note

Json = dict[str, Any]


@dataclass(frozen=True)
class Verdict:
    """What it said. ``lines`` are the six of the verdict, ``findings`` what they stand on."""

    exit: int
    lines: list[Json]
    findings: list[Json]
    evidence: list[str]  #: names of files

    @property
    def codes(self) -> set[str]:
        return {one["code"] for one in self.findings}

    @property
    def broken(self) -> list[Json]:
        """The findings that are violations."""
        return [one for one in self.findings if one["code"].startswith("E_")]

    @property
    def violated(self) -> list[Json]:
        return [one for one in self.lines if one["state"] == "VIOLATED"]


async def ask(game: Game, file: bytes, confirmed: list[str], directory: Path) -> Verdict:
    """Have ``file`` (bob's copy of the record) judged by what both players have kept."""
    record, evidence = directory / "room.zip", directory / "evidence"
    record.write_bytes(file)
    arguments = ["--invite", game.link, "--evidence", str(evidence), "--json"]
    for player in (game.alice, game.bob):
        for line in player.lines:
            arguments += ["--line", line]
        for size, head in player.heads.items():
            kept = directory / f"{player.name}-{size}.note"
            kept.write_text(note(head))
            arguments += ["--head-of", f"{player.name}={kept}"]
        saw = directory / f"{player.name}-saw.json"
        saw.write_text(json.dumps(player.seen))
        arguments += ["--saw", f"{player.name}={saw}"]
        arguments += ["--gave", f"{player.name}={player.entropy}"]
    for name in confirmed:
        arguments += ["--confirm", name]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mcp_multiplayer.verifier", str(record), *arguments),
        cwd=ROOT,
        env={name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complaint = await process.communicate()
    (directory / "verdict.json").write_bytes(said)
    if not said:
        raise RuntimeError(f"the verifier said nothing: {complaint.decode()[-2000:]}")
    found = json.loads(said)
    files = sorted(path.name for path in evidence.glob("*"))
    return Verdict(process.returncode or 0, found["verdict"], found["findings"], files)
