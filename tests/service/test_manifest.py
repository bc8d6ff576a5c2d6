"""Fields of a manifest that something here acts on say it in one way, or the bot is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mcp_multiplayer.errors import InvalidRequest
from mcp_multiplayer.service import manifest
from mcp_multiplayer.service.manifest import MOST_PANELS, PANELS

ROOT = Path(__file__).parent.parent.parent
WHOLE: dict[str, dict[str, Any]] = {
    "chess": {"of": "fen", "last": "uci"},
    "grid": {"of": "board", "width": 3},
    "cards": {"of": "hands.alice", "in": "deal"},
    "dice": {"of": "side"},
    "table": {"of": "score", "title": "Score so far"},
    "text": {"of": "question"},
    "range": {"of": "guess", "low": 1, "high": "param:high"},
    "hash": {"of": "commitment", "open": {"text": "target", "salt": "salt"}},
}


def check(*show: Any) -> None:
    manifest.check({"show": list(show)}, network=False)


def test_there_is_one_of_each_panel() -> None:
    assert WHOLE.keys() == PANELS.keys()


@pytest.mark.parametrize("kind", WHOLE)
def test_a_panel_is_taken_with_all_that_it_may_say(kind: str) -> None:
    check({"panel": kind, **WHOLE[kind]})


def test_a_manifest_without_panels_is_taken() -> None:
    manifest.check({"rules": "be nice", "show_off": "yes"}, network=False)


@pytest.mark.parametrize(
    "panel",
    [
        {"panel": "chess"},
        {"of": "fen"},
        {"panel": "picture", "of": "fen"},
        {"panel": ["chess"], "of": "fen"},
        {"panel": "grid", "of": "board"},
        {"panel": "grid", "of": "board", "width": 0},
        {"panel": "grid", "of": "board", "width": 401},
        {"panel": "grid", "of": "board", "width": True},
        {"panel": "grid", "of": "board", "width": 2.5},
        {"panel": "dice", "of": "side", "width": 3},
        {"panel": "text", "of": "a..b"},
        {"panel": "text", "of": ".a"},
        {"panel": "text", "of": "a" * 65},
        {"panel": "text", "of": "a/b"},
        {"panel": "text", "of": "__proto__ "},
        {"panel": "text", "of": "ä"},
        {"panel": "text", "of": ""},
        {"panel": "text", "of": 3},
        {"panel": "text", "of": "a", "title": ""},
        {"panel": "text", "of": "a", "title": "x" * 81},
        {"panel": "text", "of": "a", "title": "two\nlines"},
        {"panel": "text", "of": "a", "style": "color: red"},
        {"panel": "text", "of": "a", "href": "https://example.com"},
        {"panel": "range", "of": "a", "low": "high"},
        {"panel": "range", "of": "a", "low": True},
        {"panel": "hash", "of": "a", "open": {"text": "t"}},
        {"panel": "hash", "of": "a", "open": {"text": "t", "salt": "s", "key": "k"}},
        "chess",
        None,
        [],
    ],
)
def test_a_panel_that_says_it_otherwise_is_refused(panel: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"show\[1\]") as refused:
        check({"panel": "chess", "of": "fen"}, panel)
    assert refused.value.code == "INVALID_REQUEST"


@pytest.mark.parametrize("show", [None, [], {}, "chess", [{"panel": "dice", "of": "a"}] * 9])
def test_panels_are_a_list_of_at_most_so_many(show: Any) -> None:
    assert MOST_PANELS == 8
    with pytest.raises(InvalidRequest, match="show is no list"):
        manifest.check({"show": show}, network=False)


def test_bots_md_names_each_panel_and_its_fields() -> None:
    text = (ROOT / "docs" / "bots.md").read_text()
    table = text.split("| panel |")[1].split("\n\n")[0]
    for kind, fields in PANELS.items():
        (row,) = [line for line in table.splitlines() if line.startswith(f"| `{kind}` |")]
        assert all(f"`{name}`" in row for name in fields)
