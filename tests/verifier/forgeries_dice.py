"""Attacks by a server with its key: seeds, commitments, members' words in the dice, draws."""

from __future__ import annotations

import random

from mcp_multiplayer.transcript.entries import b64u
from mcp_multiplayer.transcript.seeds import commit_member
from tests.verifier.forging import NOT_PROVEN, attack, first, pick, runs
from tests.verifier.games import Bundle, inserted, without

R = random.Random


@attack("guess", "E_SEED", "DICE")
def another_seed_is_revealed(f: Bundle, rng: R) -> None:
    f.of("reveal")[0]["seed"] = b64u(rng.randbytes(32))


@attack("coin", "E_SEED", "DICE")
def the_chain_of_seeds_is_broken(f: Bundle, rng: R) -> None:
    f.of("reveal")[1]["seed"] = b64u(rng.randbytes(32))


@attack("coin", "E_REVEAL")
def a_seed_is_of_another_epoch(f: Bundle, rng: R) -> None:
    f.of("reveal")[-1]["epoch"] += 1


@attack("coin", "E_RUN")
def a_seed_is_revealed_twice(f: Bundle, rng: R) -> None:
    reveal = f.of("reveal")[0]
    f.entries[reveal["i"]]["more"] = True
    again = {name: value for name, value in reveal.items() if name != "more"}
    inserted(f, reveal["i"] + 1, again)


@attack("change", "E_REVEAL")
def a_seed_is_revealed_for_another_referee(f: Bundle, rng: R) -> None:
    first(f.of("reveal"))["bot"] = "guess-referee"


@attack("change", "E_REVEAL")
def a_seed_is_revealed_for_another_attach(f: Bundle, rng: R) -> None:
    f.of("reveal")[-1]["at"] = f.of("attach")[0]["i"]


@attack("guess", "E_REVEAL")
def a_seed_comes_out_before_the_last_run(f: Bundle, rng: R) -> None:
    reveal = f.entries.pop()
    del f.entries[-1]["more"]
    inserted(f, pick(rng, f.of("msg")[1:])["i"], reveal)


@attack("guess", "I_SEED", "RULES", state=NOT_PROVEN)
def the_seed_is_withheld_and_the_game_goes_on(f: Bundle, rng: R) -> None:
    cut = pick(rng, f.of("msg")[1:])["i"]
    del f.entries[cut:]


@attack("guess", "E_RUN", "RECORD")
def the_seed_is_left_out_after_the_end(f: Bundle, rng: R) -> None:
    f.entries.pop()
    del f.entries[-1]["more"]


@attack("guess", "E_RUN_RNG", "DICE")
def nobody_s_words_are_in_the_dice(f: Bundle, rng: R) -> None:
    for join in f.of("join"):
        join.pop("entropy")


@attack("guess", "E_RUN_RNG", "DICE")
def a_member_s_words_are_not_in_the_dice(f: Bundle, rng: R) -> None:
    pick(rng, f.of("join")).pop("entropy")


@attack("guess", "E_RUN_RNG", "DICE")
def a_member_s_words_are_exchanged(f: Bundle, rng: R) -> None:
    pick(rng, f.of("join"))["entropy"] = "words that suit the server"


@attack("guess", "E_RUN_RNG", "DICE")
def the_words_of_two_members_change_places(f: Bundle, rng: R) -> None:
    one, two = f.of("join")
    one["entropy"], two["entropy"] = two["entropy"], one["entropy"]


@attack("guess", "E_JOIN", "RECORD")
def words_are_too_short_to_be_chance(f: Bundle, rng: R) -> None:
    pick(rng, f.of("join"))["entropy"] = "short"


@attack("guess", "E_ENTROPY", "DICE")
def words_come_after_the_beginning(f: Bundle, rng: R) -> None:
    message = pick(rng, f.of("msg"))
    entry = {"t": "entropy", "slot": "s0", "value": "x" * 20, "ts": message["ts"]}
    inserted(f, message["i"], entry)


@attack("guess", "E_ENTROPY", "DICE")
def words_come_from_an_empty_seat(f: Bundle, rng: R) -> None:
    join = f.of("join")[1]
    entry = {"t": "entropy", "slot": join["slot"], "value": "x" * 20, "ts": join["ts"]}
    inserted(f, join["i"], entry)


@attack("guess", "E_ENTROPY", "DICE")
def a_member_adds_other_words_to_the_first(f: Bundle, rng: R) -> None:
    join = f.of("join")[0]
    entry = {"t": "entropy", "slot": join["slot"], "value": "x" * 20, "ts": join["ts"]}
    inserted(f, join["i"] + 1, entry)


@attack("coin", "E_OPEN", "DICE")
def a_commitment_is_opened_to_another_value(f: Bundle, rng: R) -> None:
    f.of("open")[0]["value"] = "bob says something else"


@attack("coin", "E_OPEN", "DICE")
def a_commitment_is_opened_before_all_are_here(f: Bundle, rng: R) -> None:
    one, two = f.of("join")
    opened = f.of("open")[0]
    alice = f.entries.pop(one["i"])
    f.entries.insert(opened["i"], alice)  # alice comes after bob has opened
    assert f.entries[two["i"] - 1] is two


@attack("coin", "E_OPEN", "DICE")
def a_seat_opens_what_it_never_promised(f: Bundle, rng: R) -> None:
    f.of("open")[0]["slot"] = "s0"


@attack("late", "E_RUN_RNG", "DICE")
def a_commitment_is_exchanged_for_one_that_suits(f: Bundle, rng: R) -> None:
    opened = f.of("open")[0]
    opened["value"] = "carol says what suits us"
    join = first(j for j in f.of("join") if j["slot"] == opened["slot"])
    join["commit"] = commit_member(f.entries[0]["origin"], opened["slot"], opened["value"])


@attack("late", "E_OPEN", "DICE")
def a_rival_s_commitment_is_copied(f: Bundle, rng: R) -> None:
    opened = f.of("open")[0]
    bob = first(j for j in f.of("join") if j["slot"] == "s1")
    bob["commit"] = first(j for j in f.of("join") if j["slot"] == opened["slot"])["commit"]
    inserted(f, opened["i"], {**opened, "slot": "s1"})


@attack("late", "E_ABORT", "DICE")
def the_server_does_not_wait_for_an_opening(f: Bundle, rng: R) -> None:
    abort = f.of("abort")[0]
    abort["ts"] -= rng.choice((1, 1000))


@attack("late", "E_ABORT", "DICE")
def somebody_who_had_opened_is_said_not_to_have(f: Bundle, rng: R) -> None:
    f.of("abort")[0]["missing"].append("s2")


@attack("late", "E_ABORT", "DICE")
def who_did_not_open_is_not_named(f: Bundle, rng: R) -> None:
    f.of("abort")[0]["missing"] = ["s0"]


@attack("late", "E_RUN_EXTRA", "RULES")
def the_game_begins_though_a_promise_is_open(f: Bundle, rng: R) -> None:
    without(f, f.of("abort")[0]["i"])


@attack("coin", "E_RUN_RNG", "DICE")
def draws_are_skipped(f: Bundle, rng: R) -> None:
    for run in runs(f):
        run["rng"][2] += run["rng"][2] > 0


@attack("guess", "E_RUN_RNG", "DICE")
def other_dice_are_used_than_were_agreed(f: Bundle, rng: R) -> None:
    for run in runs(f):
        run["rng"][0] = b64u(rng.randbytes(9))


@attack("wild", "E_RUN_RNG", "DICE")
def a_draw_is_made_again(f: Bundle, rng: R) -> None:
    """The dice go back to where they were before a draw."""
    drew = first(r for r in runs(f, hook="on_message") if r["rng"][2])
    later = first(r for r in runs(f) if r["i"] > drew["i"])
    later["rng"] = [later["rng"][0], drew["rng"][1], later["rng"][2]]


@attack("coin", "E_RUN_RNG", "DICE")
def a_hook_draws_from_the_dice_of_another(f: Bundle, rng: R) -> None:
    """As if one more had drawn before it: each would be another roll to choose from."""
    for run in runs(f):
        run["rng"][1] += 1
