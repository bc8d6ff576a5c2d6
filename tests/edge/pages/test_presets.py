"""What pages remember of the presets, and how a schema reads."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_multiplayer.edge.pages.presets import MEMORY_SECONDS, Preset, Shelf, kind


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 99}, "whole number, 1 to 99"),
        ({"type": "integer", "minimum": 1}, "whole number, at least 1"),
        (
            {"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": 31536000},
            "number or null, more than 0, at most 31,536,000",
        ),
        ({"type": "number", "exclusiveMinimum": 0}, "number, more than 0"),
        ({"enum": ["first", "second"]}, '"first" or "second"'),
        ({"type": "array", "items": {"type": "string"}}, "list of text"),
        ({"type": "array", "items": {"enum": [1]}}, "list"),
        ({"anyOf": [{"type": "string"}, {"type": "object"}]}, "text or JSON object"),
        ({"type": "string", "maxLength": 1000}, "text, at most 1,000 characters"),
        ({"type": "boolean"}, "true or false"),
        ({}, ""),
    ],
)
def test_a_schema_reads_as_words(schema: dict[str, Any], words: str) -> None:
    assert kind(schema) == words


@pytest.mark.parametrize(
    ("few", "many", "words"), [(1, 1, "1 player"), (2, 2, "2 players"), (2, 8, "2 to 8 players")]
)
def test_seats_read_as_words(few: int, many: int, words: str) -> None:
    assert Preset({"min_seats": few, "max_seats": many}).seats == words


@pytest.mark.parametrize(
    ("name", "title"),
    [("RockPaperScissorsBot", "Rock Paper Scissors"), ("TLSBot", "TLS"), ("ChessBot", "Chess")],
)
def test_a_name_reads_as_a_title(name: str, title: str) -> None:
    assert Preset({"name": name}).title == title


def test_lines_that_are_laid_out_by_hand_stay_so() -> None:
    rules = "What it\nis.\n\nMoves:   a\n         b\n\n    1 2\n    3 4\n"
    found = [(one.text, one.laid_out) for one in Preset({"rules": rules}).rules]
    assert found == [
        ("What it\nis.", False),
        ("Moves:   a\n         b", True),
        ("    1 2\n    3 4", True),
    ]


class _Server:
    """Says one preset, or is away; counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.answer: tuple[int, Any] = (503, None)

    async def __call__(self, path: str, query: dict[str, str]) -> tuple[int, Any]:
        self.asked += 1
        return self.answer


async def test_what_the_server_said_is_remembered_for_a_while_and_while_it_is_away() -> None:
    server, now = _Server(), [0.0]
    shelf = Shelf(server, lambda: now[0])
    assert await shelf.presets() is None
    server.answer = (200, {"presets": [{"name": "ABot"}], "library": "", "reveal_days": 7})
    first = await shelf.presets()
    assert first is not None and first.named("ABot") and first.named("BBot") is None
    now[0] = MEMORY_SECONDS - 1
    assert await shelf.presets() is first
    assert server.asked == 2
    now[0] = MEMORY_SECONDS
    for away in ((503, None), (200, None), (200, {"path": "/presets_card"})):
        server.answer = away
        assert await shelf.presets() is first
    assert server.asked == 5
