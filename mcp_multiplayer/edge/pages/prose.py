"""Texts that people read, such as what an operator says about privacy: paragraphs out of plain
Markdown. A file of the operator's is text: nothing in it becomes an element of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mcp_multiplayer.config import BadSetting

MOST_BYTES = 256 << 10


@dataclass(frozen=True)
class Block:
    """``kind``: h2, h3, p or ul; ``lines`` are the items of a list, else one text."""

    kind: str
    lines: tuple[str, ...]


def blocks(text: str) -> list[Block]:
    """The paragraphs, headings and lists of ``text``. The first heading is left out: it is the
    page's own."""
    found = [block for part in re.split(r"\n\s*\n", text) for block in _blocks(part)]
    return found[1:] if found and found[0].kind == "h1" else found


def _blocks(part: str) -> Iterator[Block]:
    lines = [line.strip() for line in part.strip().split("\n")]
    while lines and (heading := re.fullmatch(r"(#{1,6})\s+(.+?)(?:\s+#+)?", lines[0])):
        yield Block(f"h{min(len(heading[1]), 3)}", (heading[2],))
        del lines[0]
    items = [re.fullmatch(r"[-*]\s+(.+)", line) for line in lines]
    if lines and items[0]:
        yield Block("ul", tuple(_items(lines)))
    elif any(lines):
        yield Block("p", (" ".join(lines),))


def _items(lines: list[str]) -> Iterator[str]:
    """Items of a list; a line without a mark goes on with the one above it."""
    whole = "\n".join(lines)
    for item in re.split(r"(?m)^[-*]\s+", whole)[1:]:
        yield " ".join(item.split())


def title(text: str, otherwise: str) -> str:
    """What its first line calls it, if that is a heading."""
    heading = re.match(r"#\s+(.+)", text.lstrip())
    return heading[1].strip() if heading else otherwise


def read(setting: str, path: str) -> str:
    """The text of an operator's file, or `BadSetting` in one line."""
    try:
        data = Path(path).read_bytes()
        if len(data) > MOST_BYTES:
            raise BadSetting(f"{setting}={path}: more than {MOST_BYTES >> 10} KiB")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise BadSetting(f"{setting}={path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadSetting(f"{setting}={path}: not a text in UTF-8") from None
