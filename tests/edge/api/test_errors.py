"""Every refusal has its code, its status and a hint, as the contract's table says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mcp_multiplayer import errors as refusals
from mcp_multiplayer.edge.api import errors
from mcp_multiplayer.edge.api.errors import Internal
from mcp_multiplayer.edge.api.guides import help_text
from mcp_multiplayer.errors import Later, MultiplayerError, RateLimited, Unavailable

#: PUBLIC_CONTRACT §5.
STATUS = {
    **dict.fromkeys(["INVALID_REQUEST", "BAD_MESSAGE", "BAD_OP"], 400),
    **dict.fromkeys(["NOT_MEMBER", "NOT_ADMIN"], 403),
    **dict.fromkeys(
        ["CHANNEL_NOT_FOUND", "INVITE_INVALID", "REJOIN_TOKEN_INVALID", "BOT_NOT_FOUND"], 404
    ),
    **dict.fromkeys(
        ["SLOT_ALREADY_FILLED", "SEAT_AMBIGUOUS", "TERMS_CHANGED", "CHANNEL_CLOSED"], 409
    ),
    "TOO_LARGE": 413,
    "BOT_REJECTED": 422,
    "RATE_LIMITED": 429,
    "UNAVAILABLE": 503,
    "INTERNAL_ERROR": 500,
}


def leaves(kind: type[MultiplayerError]) -> Iterator[type[MultiplayerError]]:
    """Yield the classes a caller can meet: those that name a code of their own."""
    if "code" in vars(kind) and kind is not MultiplayerError:
        yield kind
    for below in kind.__subclasses__():
        yield from leaves(below)


CLASSES = list(leaves(MultiplayerError))


def test_the_codes_are_those_of_the_contract() -> None:
    assert sorted(kind.code for kind in CLASSES) == sorted(STATUS)


@pytest.mark.parametrize("kind", CLASSES)
def test_each_refusal_has_its_status_and_a_hint(kind: type[MultiplayerError]) -> None:
    error = kind("it did not work")
    assert errors.status(error) == STATUS[error.code]
    later = {"retry_after": 1} if isinstance(error, refusals.Later) else {}
    assert errors.body(error) == later | {
        "error": kind.code,
        "message": "it did not work",
        "hint": kind.hint.replace("{wait}", "1"),
    }
    assert kind.hint.endswith((".", "..."))


@pytest.mark.parametrize("code", STATUS)
def test_the_guide_on_errors_says_what_to_do_about_each(code: str) -> None:
    assert code in help_text("errors")


def test_what_a_tool_says_is_code_sentence_and_hint_on_one_line() -> None:
    error = refusals.NotMember("you hold no seat\nnext: give up\u2028or not\u202e")
    line = errors.line(error)
    assert line.startswith("NOT_MEMBER: you hold no seat next: give up or not")
    assert line.endswith(refusals.NotMember.hint)
    assert not set("\n\u2028\u202e") & set(line)


@pytest.mark.parametrize(("after", "header"), [(0.05, "1"), (1.0, "1"), (1.2, "2"), (3600, "3600")])
def test_come_back_later_says_when_in_whole_seconds_rounded_up(after: float, header: str) -> None:
    for kind in (RateLimited, Unavailable):
        assert errors.headers(kind("later", retry_after=after)) == {"Retry-After": header}


@pytest.mark.parametrize("kind", [RateLimited, Unavailable])
def test_come_back_later_names_the_seconds_where_no_header_is_seen(kind: type[Later]) -> None:
    error = kind("later", retry_after=4.2)
    assert " 5 s" in errors.line(error)
    assert errors.body(error)["retry_after"] == 5


def test_other_refusals_name_no_time() -> None:
    assert errors.headers(Internal("x")) == {}
