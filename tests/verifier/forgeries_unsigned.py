"""Attacks by whoever has a file and no key, and games with signed heads."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable

from mcp_multiplayer.transcript import checkpoint, merkle
from mcp_multiplayer.transcript.canonical_json import canonical
from mcp_multiplayer.transcript.entries import b64u
from tests.verifier.forging import (
    NOT_PROVEN,
    Forge,
    attack,
    head,
    lines,
    moves,
    pick,
    replace,
    roots,
    said,
)
from tests.verifier.games import KEY, Bundle, signed
from tests.verifier.records import NEXT

R = random.Random


def bare(
    kind: str, code: str, line: str = "RECORD", state: str = "VIOLATED"
) -> Callable[[Forge], Forge]:
    """An attack by somebody who cannot sign again."""
    return attack(kind, code, line, resign=False, state=state)


# --- entries -------------------------------------------------------------------------------


@bare("guess", "E_PREV")
def a_character_of_a_word_is_flipped(f: Bundle, rng: R) -> None:
    place = pick(rng, moves(f))["i"]
    replace(f, place, b"guess", b"guest")


@bare("coin", "E_CHECKPOINT")
def the_last_entry_is_cut(f: Bundle, rng: R) -> None:
    lines(f).pop()
    f.lines = lines(f)[:-3]


@bare("coin", "E_MORE")
def the_file_is_cut_in_the_middle_of_a_step(f: Bundle, rng: R) -> None:
    f.lines = lines(f)[:-1]
    del f.entries[-1]
    f.checkpoint = head(f, len(f.entries))


@bare("guess", "E_CHECKPOINT")
def a_well_chained_entry_is_appended(f: Bundle, rng: R) -> None:
    p = b64u(merkle.leaf_hash(lines(f)[-1]))
    size = len(f.entries)
    lines(f).append(canonical({"i": size, "t": "rename", "name": "x", "p": p, "ts": 1 << 42}))


@bare("wild", "E_INDEX")
def two_entries_change_places(f: Bundle, rng: R) -> None:
    place = rng.randrange(1, len(f.entries) - 1)
    found = lines(f)
    found[place], found[place + 1] = found[place + 1], found[place]


@bare("wild", "E_INDEX")
def an_entry_stands_twice(f: Bundle, rng: R) -> None:
    place = rng.randrange(len(f.entries))
    lines(f).insert(place, lines(f)[place])


@bare("guess", "E_INDEX")
def an_entry_in_the_middle_is_missing(f: Bundle, rng: R) -> None:
    del lines(f)[rng.randrange(1, len(f.entries) - 1)]


@bare("guess", "E_CANONICAL")
def white_space_is_added(f: Bundle, rng: R) -> None:
    replace(f, rng.randrange(len(f.entries)), b'","', b'", "')


@bare("guess", "E_CANONICAL")
def keys_are_in_another_order(f: Bundle, rng: R) -> None:
    place = pick(rng, said(f))["i"]
    line = lines(f)[place]
    lines(f)[place] = b'{"t":"msg",' + line[1:].replace(b',"t":"msg"', b"", 1)


@bare("guess", "E_JSON")
def a_key_is_written_twice(f: Bundle, rng: R) -> None:
    place = rng.randrange(len(f.entries))
    replace(f, place, b"{", b'{"i":%d,' % place)


@bare("guess", "E_JSON")
def a_number_is_written_with_an_exponent(f: Bundle, rng: R) -> None:
    replace(f, 1, b'"i":1', b'"i":1e9999')


@bare("guess", "E_CANONICAL")
def fifty_is_written_as_5e1(f: Bundle, rng: R) -> None:
    replace(f, 5, b'"i":5', b'"i":50e-1')


@bare("guess", "E_JSON")
def a_number_is_beyond_2_to_the_53(f: Bundle, rng: R) -> None:
    replace(f, 4, b'"ts":1', b'"ts":9007199254740993')


@bare("guess", "E_JSON")
def a_number_is_nan(f: Bundle, rng: R) -> None:
    replace(f, 4, b'"i":4', b'"i":NaN')


@bare("guess", "E_JSON")
def a_surrogate_stands_alone(f: Bundle, rng: R) -> None:
    replace(f, pick(rng, moves(f))["i"], b"guess", b"gu\\udc00ess")


@bare("guess", "E_JSON")
def bytes_are_no_utf8(f: Bundle, rng: R) -> None:
    replace(f, pick(rng, moves(f))["i"], b"guess", b"gu\xc0\xafess")


@bare("guess", "E_JSON")
def a_value_is_nested_ten_thousand_deep(f: Bundle, rng: R) -> None:
    replace(f, pick(rng, moves(f))["i"], b'"guess', b"[" * 10_000 + b'"guess')


@bare("guess", "E_SIZE")
def an_entry_is_larger_than_any_may_be(f: Bundle, rng: R) -> None:
    replace(f, pick(rng, moves(f))["i"], b"guess", b"guess" * 20_000)


@bare("guess", "E_CANONICAL")
def lines_end_like_on_windows(f: Bundle, rng: R) -> None:
    f.lines = [line + b"\r" for line in lines(f)]


@bare("guess", "E_CANONICAL")
def a_byte_order_mark_comes_first(f: Bundle, rng: R) -> None:
    lines(f)[0] = b"\xef\xbb\xbf" + lines(f)[0]


@bare("guess", "E_JSON")
def an_empty_line_stands_between(f: Bundle, rng: R) -> None:
    lines(f).insert(rng.randrange(1, len(f.entries)), b"")


@bare("guess", "E_CANONICAL")
def a_letter_is_written_as_an_escape(f: Bundle, rng: R) -> None:
    replace(f, pick(rng, moves(f))["i"], b"guess", b"\\u0067uess")


@bare("guess", "E_PREV")
def spare_bits_of_a_hash_are_used(f: Bundle, rng: R) -> None:
    p = f.entries[3]["p"]
    spare = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    same = spare[spare.index(p[-1]) ^ 1]
    replace(f, 3, f'"{p}"'.encode(), f'"{p[:-1]}{same}"'.encode())


@bare("guess", "E_PREV")
def an_entry_is_said_to_be_erased_and_was_another(f: Bundle, rng: R) -> None:
    place = pick(rng, said(f))["i"]
    lines(f)[place] = b'{"erased": "%s"}' % base64.b64encode(bytes(32))


@bare("guess", "I_MISSING", "RULES", state=NOT_PROVEN)
def an_inconvenient_entry_is_said_to_be_erased(f: Bundle, rng: R) -> None:
    place = pick(rng, said(f))["i"]
    lines(f)[place] = b'{"erased": "%s"}' % base64.b64encode(merkle.leaf_hash(lines(f)[place]))


@bare("guess", "E_CANONICAL")
def an_erased_hash_has_spare_bits(f: Bundle, rng: R) -> None:
    place = pick(rng, said(f))["i"]
    text = base64.b64encode(merkle.leaf_hash(lines(f)[place])).decode()
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    same = letters[letters.index(text[-2]) ^ 1]
    lines(f)[place] = f'{{"erased": "{text[:-2]}{same}="}}'.encode()


# --- blobs and openings ------------------------------------------------------------------------


@bare("guess", "E_BLOB")
def a_source_is_changed_under_its_name(f: Bundle, rng: R) -> None:
    f.blobs[f.code] = f.blobs[f.code].replace(b"high", b"low ", 1)


@bare("wild", "E_BLOB")
def two_blobs_change_names(f: Bundle, rng: R) -> None:
    one, two = list(f.blobs)[:2]
    f.blobs[one], f.blobs[two] = f.blobs[two], f.blobs[one]


@bare("guess", "E_BLOB")
def the_source_is_missing(f: Bundle, rng: R) -> None:
    del f.blobs[f.code]


@bare("guess", "E_BLOB")
def the_library_is_missing(f: Bundle, rng: R) -> None:
    del f.blobs[f.of("attach")[0]["library"].removeprefix("sha256:")]


@bare("wild", "E_BLOB")
def an_answer_of_the_network_is_missing(f: Bundle, rng: R) -> None:
    source = f.of("attach")[0]["code_hash"][7:]
    for name in list(f.blobs):
        if name != source:
            del f.blobs[name]


@bare("coin", "E_OPENING")
def a_private_word_is_opened_to_another(f: Bundle, rng: R) -> None:
    opening = pick(rng, [one for one in f.openings if one["opening"]])
    opening["opening"][""][1] = {"text": "edge"}


@bare("coin", "E_OPENING")
def a_private_word_is_opened_with_another_salt(f: Bundle, rng: R) -> None:
    opening = pick(rng, [one for one in f.openings if one["opening"]])
    opening["opening"][""][0] = b64u(bytes(16))


@bare("coin", "E_OPENING")
def a_message_that_does_not_exist_is_opened(f: Bundle, rng: R) -> None:
    f.openings.append({"id": 9999, "opening": {"": ["x", {}]}})


@bare("coin", "E_OPENING")
def a_public_message_is_opened_to_other_words(f: Bundle, rng: R) -> None:
    f.openings.append({"id": 1, "opening": {"": ["x", {"text": "y"}]}})


@bare("wild", "E_OPENING")
def a_hidden_card_is_opened_as_another(f: Bundle, rng: R) -> None:
    cards = [one["opening"] for one in f.openings if one["opening"] and "v" in one["opening"]]
    cards += [one["opening"] for one in f.openings if one["opening"] and "card" in one["opening"]]
    for pair in cards[0].values():
        pair[1] = 53


@bare("wild", "E_OPENING")
def a_hidden_card_is_left_out_of_an_opening(f: Bundle, rng: R) -> None:
    cards = [one["opening"] for one in f.openings if one["opening"] and "card" in one["opening"]]
    del cards[0]["card"]


@bare("coin", "E_BUNDLE")
def a_message_is_opened_twice(f: Bundle, rng: R) -> None:
    f.openings.append(f.openings[0])


# --- heads -------------------------------------------------------------------------------------


def _note(f: Bundle) -> str:
    assert f.checkpoint is not None
    return f.checkpoint


@bare("guess", "E_SIGNATURE")
def a_bit_of_the_signature_is_flipped(f: Bundle, rng: R) -> None:
    text, _, signature = _note(f).rstrip("\n").rpartition(" ")
    data = bytearray(base64.b64decode(signature))
    data[rng.randrange(4, len(data))] ^= 1 << rng.randrange(8)
    f.checkpoint = f"{text} {base64.b64encode(data).decode()}\n"


@bare("guess", "E_SIGNATURE")
def another_key_signs_under_the_same_name(f: Bundle, rng: R) -> None:
    f.checkpoint = signed(f.entries[0]["origin"], len(f.entries), roots(f)[-1], NEXT)


@bare("guess", "E_SIGNATURE")
def the_head_of_another_room_is_taken(f: Bundle, rng: R) -> None:
    f.checkpoint = signed("mp.example/c/chn_other", len(f.entries), roots(f)[-1])


@bare("guess", "E_CHECKPOINT")
def a_head_of_the_right_size_has_another_root(f: Bundle, rng: R) -> None:
    f.checkpoint = head(f, len(f.entries), bytes(32))


@bare("guess", "E_CHECKPOINT")
def a_stale_head_stands_over_a_longer_log(f: Bundle, rng: R) -> None:
    f.checkpoint = head(f, rng.randrange(1, len(f.entries)))


@bare("guess", "E_CHECKPOINT")
def a_head_is_of_a_later_size(f: Bundle, rng: R) -> None:
    f.checkpoint = head(f, len(f.entries) + 7, bytes(32))


@bare("guess", "E_SIGNATURE")
def a_head_has_a_line_too_many(f: Bundle, rng: R) -> None:
    text = _note(f).partition("\n\n")[0] + "\nextension\n"
    f.checkpoint = _by_key(f, text)


@bare("guess", "E_SIGNATURE")
def a_head_has_a_size_with_a_zero_before_it(f: Bundle, rng: R) -> None:
    origin, size, root = _note(f).partition("\n\n")[0].split("\n")
    f.checkpoint = _by_key(f, f"{origin}\n0{size}\n{root}\n")


def _by_key(f: Bundle, text: str) -> str:
    return checkpoint.signed(text, f.entries[0]["origin"], KEY.public, KEY.sign)


@bare("guess", "E_SIGNATURE")
def a_head_has_lines_that_end_like_on_windows(f: Bundle, rng: R) -> None:
    f.checkpoint = _note(f).replace("\n", "\r\n")


@bare("guess", "E_SIGNATURE")
def a_bad_signature_stands_beside_a_good_one(f: Bundle, rng: R) -> None:
    good = _note(f)
    bad = head(f, len(f.entries), bytes(32)).rpartition("\n\n")[2]
    f.checkpoint = good + bad


@bare("guess", "E_SIGNATURE")
def a_signature_is_of_nobody_whom_the_room_knows(f: Bundle, rng: R) -> None:
    f.checkpoint = _note(f).replace("— mp.example", "— mp2.example")


@bare("guess", "E_SIGNATURE")
def spare_bits_of_the_signature_are_used(f: Bundle, rng: R) -> None:
    text = _note(f).rstrip("\n")
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    last = text.rstrip("=")[-1]
    pad = text[len(text.rstrip("=")) :]
    same = letters[letters.index(last) ^ 1]
    f.checkpoint = text.rstrip("=")[:-1] + same + pad + "\n"
    assert pad


@bare("guess", "I_UNSIGNED", state=NOT_PROVEN)
def the_signed_head_is_withheld(f: Bundle, rng: R) -> None:
    f.checkpoint = None
