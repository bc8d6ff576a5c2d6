"""Attacks by a server with its key: answers of the network, and private words."""

from __future__ import annotations

import base64
import hashlib
import json
import random

from mcp_multiplayer.transcript.canonical_json import canonical
from mcp_multiplayer.transcript.entries import b64u
from tests.verifier.forging import Entry, attack, first, move, other, pick, runs
from tests.verifier.games import Bundle, inserted, without

R = random.Random


# --- network -------------------------------------------------------------------------------


def _asking(f: Bundle) -> list[Entry]:
    return [run for run in runs(f) if "fx" in run]


@attack("wild", "E_RUN_FX", "RULES")
def a_question_to_the_network_is_left_out(f: Bundle, rng: R) -> None:
    del pick(rng, _asking(f))["fx"]


@attack("wild", "E_RUN_FX", "RULES")
def a_question_to_the_network_is_invented(f: Bundle, rng: R) -> None:
    fx = pick(rng, _asking(f))["fx"]
    fx.append(dict(fx[0]))


@attack("wild", "E_RUN_FX", "RULES")
def a_question_to_the_network_was_another(f: Bundle, rng: R) -> None:
    effect = pick(rng, _asking(f))["fx"][0]
    effect["q"] = other(effect["q"])


@attack("wild", "E_RUN_FX", "RULES")
def a_question_is_of_another_kind(f: Bundle, rng: R) -> None:
    pick(rng, _asking(f))["fx"][0]["k"] = "resolve"


@attack("wild", "E_RUN_OUT", "RULES")
def an_answer_of_the_network_and_its_hash_are_exchanged(f: Bundle, rng: R) -> None:
    """The referee's words do not follow from the new answer."""
    run = first(r for r in _asking(f) if "target" in r["out"][0]["b"])
    name = _hexed(run["fx"][0]["r"])
    blob = f.blobs.pop(name)
    forged = _other_answer(blob)
    f.blobs[hashlib.sha256(forged).hexdigest()] = forged
    run["fx"][0]["r"] = b64u(hashlib.sha256(forged).digest())


def _other_answer(blob: bytes) -> bytes:
    """The same answer with another body."""

    def change(value: object) -> object:
        if isinstance(value, dict):
            return {name: change(item) for name, item in value.items()}
        if isinstance(value, str) and "/x?n=" in value:
            return value.replace("/x?n=", "/y?n=")
        if isinstance(value, str):
            try:
                data = base64.b64decode(value, validate=True)
            except ValueError:
                return value
            if b"/x?n=" in data:
                return base64.b64encode(data.replace(b"/x?n=", b"/y?n=")).decode()
        return value

    forged = canonical(change(json.loads(blob)))
    assert forged != blob
    return forged


@attack("wild", "E_RUN_OUT", "RULES")
def answers_of_two_runs_change_places(f: Bundle, rng: R) -> None:
    one, two = _asking(f)[:2]
    one["fx"][0]["r"], two["fx"][0]["r"] = two["fx"][0]["r"], one["fx"][0]["r"]


@attack("wild", "E_BLOB")
def an_answer_is_named_that_is_not_here(f: Bundle, rng: R) -> None:
    effect = pick(rng, _asking(f))["fx"][0]
    effect["r"] = other(effect["r"])


def _hexed(digest: str) -> str:
    return base64.urlsafe_b64decode(digest + "=").hex()


# --- private words -------------------------------------------------------------------------


@attack("coin", "E_DISCLOSE")
def another_body_is_disclosed(f: Bundle, rng: R) -> None:
    pick(rng, f.of("disclose"))["body"] = {"text": "edge"}


@attack("coin", "E_DISCLOSE")
def another_salt_is_disclosed(f: Bundle, rng: R) -> None:
    pick(rng, f.of("disclose"))["salt"] = b64u(bytes(16))


@attack("coin", "E_DISCLOSE")
def a_disclosure_is_missing(f: Bundle, rng: R) -> None:
    without(f, pick(rng, f.of("disclose"))["i"])


@attack("coin", "E_DISCLOSE")
def a_message_is_disclosed_twice(f: Bundle, rng: R) -> None:
    disclose = pick(rng, f.of("disclose"))
    inserted(f, disclose["i"], dict(disclose))


@attack("coin", "E_DISCLOSE")
def disclosures_change_places(f: Bundle, rng: R) -> None:
    one, two = f.of("disclose")[:2]
    move(f, two["i"], one["i"])


@attack("coin", "E_DISCLOSE")
def a_word_between_players_is_disclosed(f: Bundle, rng: R) -> None:
    psst = first(m for m in f.of("msg") if m["m"].get("to") == ["alice"])
    last = f.of("disclose")[-1]
    inserted(f, last["i"], {**last, "entry": psst["i"], "body": {"text": "psst"}})


@attack("coin", "E_DISCLOSE")
def an_entry_that_hid_nothing_is_disclosed(f: Bundle, rng: R) -> None:
    last = f.of("disclose")[-1]
    inserted(f, last["i"], {**last, "entry": f.of("join")[0]["i"]})


@attack("coin", "E_DISCLOSE")
def a_disclosure_stands_where_no_seed_comes_out(f: Bundle, rng: R) -> None:
    message = first(m for m in f.of("msg") if m["m"].get("b") == {"text": "rematch"})
    inserted(f, message["i"], {**f.of("disclose")[0]})


@attack("coin", "E_DISCLOSE")
def a_sealed_move_is_sealed_anew(f: Bundle, rng: R) -> None:
    """What alice sealed is exchanged; the disclosure is not."""
    sealed = first(m for m in f.of("msg") if m["m"].get("to") == ["bot:coin"])
    sealed["m"]["d"] = other(sealed["m"]["d"])
