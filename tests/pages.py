"""The pages that tests read: README.md, docs/ and the scripts' own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mcp_multiplayer.demo.pair import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "scripts/README.md"]


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page."""
    kind, start, held = "", 0, list[str]()
    for number, line in enumerate(page.read_text().split("\n"), start=1):
        if line.startswith("```") and not start:
            kind, start, held = line[3:].strip(), number, []
        elif line == "```":
            yield Block(page, start, kind, "\n".join(held))
            start = 0
        elif start:
            held.append(line)
    assert not start, f"{page.name}: the fence in line {start} is not closed"


def fits(shown: str, said: str) -> bool:
    """True when ``said`` is what ``shown`` means with its …"""
    parts = [
        r"(?:.*\n)*?" if line == "…" else ".*".join(map(re.escape, line.split("…"))) + r"\n"
        for line in shown.rstrip("\n").split("\n")
    ]
    return re.fullmatch("".join(parts), said.rstrip("\n") + "\n") is not None


BLOCKS = [block for page in PAGES for block in blocks(page)]


def prose(page: Path) -> str:
    """A page without its fences."""
    return re.sub(r"(?ms)^```.*?^```$", "", page.read_text())


EVERYTHING = "\n".join(page.read_text() for page in PAGES)
