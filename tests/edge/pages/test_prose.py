"""An operator's text becomes headings, paragraphs and lists, and no element of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mcp_multiplayer.config import BadSetting
from mcp_multiplayer.edge.pages import prose
from mcp_multiplayer.edge.pages.prose import Block
from tests.edge.harness import lab

TEXT = """\
# Our privacy

We are a club.
We keep little.

## What
- one, which
  goes on
* two <b>bold</b>

Done.
"""


def test_plain_markdown_becomes_blocks() -> None:
    assert prose.blocks(TEXT) == [
        Block("p", ("We are a club. We keep little.",)),
        Block("h2", ("What",)),
        Block("ul", ("one, which goes on", "two <b>bold</b>")),
        Block("p", ("Done.",)),
    ]
    assert prose.title(TEXT, "Privacy") == "Our privacy"


def test_a_text_without_any_mark_is_paragraphs() -> None:
    assert prose.blocks("a\nb\n\n\nc") == [Block("p", ("a b",)), Block("p", ("c",))]
    assert prose.title("a\nb", "Terms") == "Terms"
    assert prose.blocks("") == []


@pytest.mark.parametrize("path", ["/privacy", "/terms"])
async def test_the_operators_file_is_shown_as_text(tmp_path: Path, path: str) -> None:
    file = tmp_path / "text.md"
    file.write_text(TEXT + "\n<script>alert(1)</script> [a](javascript:x)\n", encoding="utf-8")
    setting: dict[str, Any] = {f"{path[1:]}_file": str(file)}
    async with lab(tmp_path, **setting) as it:
        page = await it.http.get(path)
        bare = await it.http.get(path, headers={"Accept": "text/markdown"})
    assert "<h1>Our privacy</h1>" in page.text
    assert "<li>one, which goes on</li>" in page.text
    assert (
        "<script>" not in page.text and "<b>" not in page.text and '<a href="java' not in page.text
    )
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    assert bare.text == file.read_text()
    assert bare.headers["content-type"].startswith("text/markdown")


@pytest.mark.parametrize("path", ["/privacy", "/terms"])
async def test_without_a_file_the_page_says_so(tmp_path: Path, path: str) -> None:
    async with lab(tmp_path, operator_contact="ops@mp.example <script>") as it:
        page = await it.http.get(path)
    assert page.status_code == 200
    assert "ops@mp.example &lt;script&gt;" in page.text
    assert "has published no" in page.text


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"x" * (prose.MOST_BYTES + 1)])
async def test_a_file_that_cannot_be_shown_stops_the_start(
    tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "privacy.md"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(BadSetting, match=r"^PRIVACY_FILE=.*privacy\.md: ") as refusal:
        async with lab(tmp_path, privacy_file=str(file)):
            pass
    assert "\n" not in str(refusal.value)
