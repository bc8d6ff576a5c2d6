"""A name that nobody in the room has settles nothing, is not passed over, and accuses nobody."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_multiplayer.verifier.executor import Executor
from tests.verifier.games import Bundle, states, verify, violations

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("wish", "line"),
    [
        ({"confirmed": ["alice", "bob", "Bob"]}, "WORDS"),
        ({"gave": [("Bob", "0123456789abcdef0123456789abcdef")]}, "DICE"),
        ({"lines": ["Bob: 1 {}"]}, "SAME FOR ALL"),
        ({"saw": [("Bob", "[]")]}, "SAME FOR ALL"),
        ({"me": "Bob"}, "SAME FOR ALL"),
    ],
    ids=["confirm", "gave", "line", "saw", "me"],
)
async def test_a_name_that_nobody_here_has_is_said(
    guess: Bundle, jail: Executor, wish: dict[str, Any], line: str
) -> None:
    size, roots = len(guess.entries), guess.roots()
    heads = [f"{label}: {size} {roots[-1]}" for label in ("alice", "bob")]
    more = [text.format(roots[1]) for text in wish.get("lines", [])]
    settled = {"confirmed": ["alice", "bob"], **wish, "lines": [*heads, *more]}
    checked = verify(guess, jail, **settled)
    said = {one.line: one.reason for one in checked.verdicts}
    assert not violations(checked)
    assert states(checked)[line] == "NOT PROVEN"
    assert "nobody here is called 'Bob', only alice, bob" in said[line]


async def test_a_name_that_somebody_has_is_no_mistake(guess: Bundle, jail: Executor) -> None:
    checked = verify(guess, jail, confirmed=["alice", "bob"], me="alice", saw=[("bob", "[]")])
    assert states(checked)["WORDS"] == "PROVEN"
    assert not any("nobody here is called" in one.text for one in checked.findings.found)
