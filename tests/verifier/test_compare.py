"""What opens a digest, and what only looks like it."""

from __future__ import annotations

from mcp_multiplayer.channel import invite_codes
from mcp_multiplayer.verifier.compare import opens

BODY = {"text": "heads"}
SEALED = {"sealed": invite_codes.seal("salt", BODY)}
PART = invite_codes.seal_value("salt", "card", 7)


def test_an_opening_opens_what_it_was_made_of() -> None:
    assert opens({"": ["salt", BODY]}, SEALED)
    assert opens({"card": ["salt", 7]}, {"dealt": "alice", "_sd": [PART]})


def test_an_opening_that_says_more_or_other_than_was_sealed_opens_nothing() -> None:
    assert not opens({"": ["salt", BODY], "card": ["salt", 7]}, SEALED)
    assert not opens({"": ["salt", {"text": "tails"}]}, SEALED)
    assert not opens({"": ["salt", BODY]}, {**SEALED, "more": 1})
    assert not opens({"card": ["salt", 7], "suit": ["salt", 1]}, {"_sd": [PART]})
    assert not opens({"card": ["salt", 8]}, {"_sd": [PART]})
    assert not opens({}, {"_sd": []})
