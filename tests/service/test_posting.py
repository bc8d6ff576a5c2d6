"""What a post needs before it can be decided on. The poster may be careless or hostile."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_multiplayer.channel import invite_codes
from mcp_multiplayer.errors import BadMessage, TooLarge
from mcp_multiplayer.service import invites, posting
from mcp_multiplayer.storage.base import Append, Row, Table
from mcp_multiplayer.storage.memory import MemoryStore
from mcp_multiplayer.transcript.canonical_json import canonical, parse
from tests.harness import Mint

INVITE = invite_codes.invite_code(b"0123456789abcde")
REJOIN = invite_codes.rejoin_token(b"k" * 32, "chn_x", "s1", 0)
BEARER = "mpt_" + "A" * 43
MOST = 16 << 10


def keeping(*rows: Row) -> MemoryStore:
    store = MemoryStore()
    store.append(Append("chn_x", 0, b"", (), rows, unconditional=True)).result()
    return store


LIVE = keeping(
    invites.invite_row("chn_x", INVITE, "s1"),
    invites.rejoin_row(b"k" * 32, "chn_x", "s1", 0),
)


def prepare(body: Any, *, private: bool = False) -> posting.Words:
    return posting.prepare(body, private=private, store=LIVE, mint=Mint(), most=MOST)


class Counting(MemoryStore):
    """Counts what is looked up."""

    found = 0

    def find(self, table: Table, key: str) -> list[tuple[str, bytes]]:
        self.found += 1
        return super().find(table, key)


def test_a_body_over_the_limit_is_refused_before_anything_in_it_is_looked_up() -> None:
    store, body = Counting(), " ".join(f"inv_{n:08d}" for n in range(80_000))
    with pytest.raises(TooLarge, match="at most 16 KiB"):
        posting.prepare(body, private=False, store=store, mint=Mint(), most=MOST)
    assert store.found == 0


def test_what_looks_like_a_code_is_looked_up_once() -> None:
    store = Counting()
    posting.prepare("inv_abcdefgh " * 1000, private=False, store=store, mint=Mint(), most=MOST)
    assert store.found == 1


WRAPS = {
    "alone": "{}",
    "in a sentence": "take {}, please",
    "in a link": "https://mp.example/join#{}",
    "in quotes": '"{}"',
    "on a line of its own": "look:\n{}\nthanks",
    "in emphasis": "_{}_",
    "before a word": "{}isforyou",
    "after a letter": "x{}",
    "as a list item": "1. {}. 2. none",
}


@pytest.mark.parametrize("code", [INVITE, REJOIN, BEARER], ids=["invite", "rejoin", "bearer"])
@pytest.mark.parametrize("wrap", WRAPS)
def test_a_live_code_is_refused_wherever_it_stands_in_a_text(code: str, wrap: str) -> None:
    with pytest.raises(BadMessage, match="secret") as refused:
        prepare(WRAPS[wrap].format(code))
    assert code not in str(refused.value)


@pytest.mark.parametrize("code", [INVITE, REJOIN, BEARER], ids=["invite", "rejoin", "bearer"])
@pytest.mark.parametrize("how", ["\n", "\r\n", "\t", "\\", "\\\n"], ids=ascii)
def test_a_live_code_is_refused_that_only_its_reader_joins_again(code: str, how: str) -> None:
    place = code.index("_")
    with pytest.raises(BadMessage, match="secret"):
        prepare(f"https://mp.example/join#{code[:place]}{how}{code[place:]}")
    with pytest.raises(BadMessage, match="secret"):
        prepare({"link": f"{code[:place]}{how}%5F{code[place + 1 :]}"})


@pytest.mark.parametrize("code", [INVITE, REJOIN, BEARER], ids=["invite", "rejoin", "bearer"])
@pytest.mark.parametrize("private", [False, True])
def test_a_live_code_is_refused_in_values_lists_and_keys(code: str, private: bool) -> None:
    bodies: list[Any] = [{"a": {"b": [1, {"c": code}]}}, {code: 1}, {"a": {f"x {code}": None}}]
    for body in bodies:
        with pytest.raises(BadMessage, match="secret"):
            prepare(body, private=private)


def test_codes_that_open_nothing_may_be_talked_about() -> None:
    dead = invite_codes.invite_code(b"edcba9876543210")
    for text in (dead, "inv_…", "rejoin_token", "inv_", "mpt_short", "rejoin_" + "x" * 43):
        assert prepare(text).body == {"text": text}


@pytest.mark.parametrize(
    "body",
    [
        {"n": math.nan},
        {"n": math.inf},
        {"n": 2**53},
        {"n": -(2**53)},
        {"n": 1e300},
        {"s": "\ud800"},
        {"\udfff": 1},
        {"b": b"bytes"},
        {"s": {1, 2}},
        {1: "key"},
    ],
    ids=repr,
)
def test_what_two_readers_would_read_differently_is_refused_in_words(body: Any) -> None:
    with pytest.raises(BadMessage) as refused:
        prepare(body)
    assert str(refused.value)
    str(refused.value).encode()


def test_a_number_too_large_is_to_be_sent_as_a_string() -> None:
    with pytest.raises(BadMessage, match="send it as a string"):
        prepare({"n": 2**53})
    assert prepare({"n": 2**53 - 1}).body == {"n": 2**53 - 1}


def test_nesting_without_end_is_refused_and_exhausts_nothing() -> None:
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"d": deep}
    with pytest.raises(BadMessage, match="nested deeper"):
        prepare(deep)


@pytest.mark.parametrize("body", [[], 7, None, 1.5, True, b"x"], ids=repr)
def test_a_body_is_text_or_an_object(body: Any) -> None:
    with pytest.raises(BadMessage, match="text or a JSON object"):
        prepare(body)


@pytest.mark.parametrize("text", ["\x00", "a\x00b", "\u2028", "\u2029", "\x1b[31m", "\r\n", ""])
def test_odd_characters_are_harmless_and_stay_what_they_are(text: str) -> None:
    words = prepare(text)
    assert words.body == {"text": text}
    assert parse(canonical(words.body)) == {"text": text}
    assert words.size == len(canonical({"text": text}))


def test_a_body_is_what_its_readers_will_get() -> None:
    words = prepare({"one": 1.0, "pair": (1, 2)})
    assert words.body == {"one": 1, "pair": [1, 2]}
    assert json.dumps(words.body) == '{"one": 1, "pair": [1, 2]}'


def test_a_private_body_has_a_salt_of_its_own_each_time() -> None:
    mint = Mint()
    one, two = (
        posting.prepare("psst", private=True, store=LIVE, mint=mint, most=MOST) for _ in range(2)
    )
    assert one.sealed != two.sealed
    assert one.opening is not None
    salt, said = one.opening[""]
    assert said == {"text": "psst"}
    assert one.sealed == invite_codes.seal(salt, said)
    assert prepare("hi").opening is None


# --- the name of a repeated post -----------------------------------------------------------

key = posting.repeat_key


def test_without_cursor_and_key_every_post_is_a_new_one() -> None:
    assert key("s1.0", "user", {"a": 1}, None, cursor=None, key=None) is None


def test_each_part_of_a_post_is_part_of_its_name() -> None:
    names = [
        key("s1.0", "user", {"a": 1}, None, cursor=5, key=None),
        key("s2.0", "user", {"a": 1}, None, cursor=5, key=None),
        key("s1.1", "user", {"a": 1}, None, cursor=5, key=None),
        key("s1.0", "move", {"a": 1}, None, cursor=5, key=None),
        key("s1.0", "user", {"a": 2}, None, cursor=5, key=None),
        key("s1.0", "user", {"a": 1}, ["bob"], cursor=5, key=None),
        key("s1.0", "user", {"a": 1}, [], cursor=5, key=None),
        key("s1.0", "user", {"a": 1}, None, cursor=6, key=None),
        key("s1.0", "user", {"a": 1}, None, cursor=5, key="k"),
        key("s2.0", "user", {"a": 1}, None, cursor=5, key="k"),
        key("s1.0", "user", {"a": 1}, None, cursor=5, key="k2"),
    ]
    assert len(set(names)) == len(names)


def test_a_key_of_the_callers_own_counts_whatever_it_says() -> None:
    one = key("s1.0", "user", {"a": 1}, None, cursor=5, key="k")
    assert key("s1.0", "move", {"a": 2}, ["bob"], cursor=None, key="k") == one


def test_the_order_of_an_objects_members_does_not_matter() -> None:
    one = key("s1.0", "user", {"a": 1, "b": 2}, None, cursor=5, key=None)
    assert key("s1.0", "user", {"b": 2, "a": 1}, None, cursor=5, key=None) == one


@given(st.text() | st.just("\ud800"), st.text() | st.just("\ud800"))
def test_any_key_and_any_addressee_has_a_name_that_can_be_kept(own: str, to: str) -> None:
    for name in (
        key("s1.0", "user", {}, None, cursor=None, key=own),
        key("s1.0", to, {}, [to], cursor=1, key=None),
    ):
        assert name is not None
        assert name.isascii()


def test_a_body_as_deep_as_allowed_has_a_name() -> None:
    deep: dict[str, Any] = {}
    for _ in range(31):
        deep = {"d": deep}
    assert key("s1.0", "user", prepare(deep).body, None, cursor=1, key=None)
