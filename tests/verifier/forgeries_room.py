"""Attacks by a server with its key: the rules of rooms, words, seats, keys and clocks."""

from __future__ import annotations

import hashlib
import random

from mcp_multiplayer.service.log_keys import LogKey
from mcp_multiplayer.transcript import checkpoint
from mcp_multiplayer.transcript.entries import b64u
from tests.verifier.forging import NOT_PROVEN, attack, first, move, pick, roots, runs, said
from tests.verifier.games import KEY, Bundle, inserted, reforge, without
from tests.verifier.records import NEXT

R = random.Random
STRANGER = "s9"


# --- members and their words -----------------------------------------------------------------


@attack("guess", "E_MSG")
def a_word_comes_from_an_empty_seat(f: Bundle, rng: R) -> None:
    message, join = said(f)[0], f.of("join")[1]
    fake = {**message, "ts": join["ts"], "m": {**message["m"], "s": join["slot"], "c": 1}}
    inserted(f, join["i"], fake)


@attack("wild", "E_MSG")
def who_has_left_speaks(f: Bundle, rng: R) -> None:
    said(f)[-1]["m"]["s"] = "s0"


@attack("guess", "E_MSG")
def a_word_comes_from_a_seat_that_does_not_exist(f: Bundle, rng: R) -> None:
    pick(rng, said(f))["m"]["s"] = STRANGER


@attack("guess", "E_MSG")
def the_referee_s_seat_speaks_like_a_member(f: Bundle, rng: R) -> None:
    pick(rng, said(f))["m"]["s"] = f.of("attach")[0]["slot"]


@attack("guess", "E_MSG")
def a_word_is_put_into_another_s_mouth(f: Bundle, rng: R) -> None:
    m = pick(rng, said(f))["m"]
    m["s"] = "s1" if m["s"] == "s0" else "s0"


@attack("guess", "E_MSG")
def a_count_of_messages_is_skipped(f: Bundle, rng: R) -> None:
    pick(rng, said(f))["m"]["c"] += 1


@attack("guess", "E_MSG")
def a_word_is_heard_twice(f: Bundle, rng: R) -> None:
    message = said(f)[-1]
    inserted(f, message["i"], {**message})


@attack("guess", "E_FIELDS")
def a_member_speaks_as_the_system(f: Bundle, rng: R) -> None:
    pick(rng, said(f))["m"]["k"] = "system"


@attack("guess", "E_FIELDS")
def a_word_is_public_and_sealed_at_once(f: Bundle, rng: R) -> None:
    pick(rng, said(f))["m"]["d"] = b64u(bytes(32))


@attack("coin", "E_MSG")
def a_word_is_for_nobody_who_is_here(f: Bundle, rng: R) -> None:
    pick(rng, [m for m in f.of("msg") if "to" in m["m"]])["m"]["to"] = ["bot:nobody"]


@attack("guess", "E_MSG")
def a_word_is_longer_than_the_room_allows(f: Bundle, rng: R) -> None:
    pick(rng, said(f))["m"]["b"] = {"text": "x" * 5000}


@attack("guess", "E_RUN_OUT", "RULES")
def a_move_is_rewritten_and_the_answer_kept(f: Bundle, rng: R) -> None:
    moves = [e for e in said(f) if e["m"]["b"].get("text", "").startswith("guess")]
    replies = {run["on"] for run in runs(f, hook="on_message") if run["out"]}
    pick(rng, [e for e in moves if e["i"] in replies])["m"]["b"] = {"text": "guess 101"}


@attack("coin", "E_DISCLOSE")
def an_addressee_is_added_to_a_sealed_move(f: Bundle, rng: R) -> None:
    psst = first(m for m in f.of("msg") if m["m"].get("to") == ["alice"])
    psst["m"]["to"] = ["alice", "bot:coin"]


@attack("guess", "E_FIELDS")
def an_entry_has_a_field_too_many(f: Bundle, rng: R) -> None:
    pick(rng, f.entries[1:])["note"] = rng.getrandbits(30)


@attack("guess", "E_FIELDS")
def an_entry_lacks_a_field(f: Bundle, rng: R) -> None:
    entry = pick(rng, f.entries)
    fields = [n for n in entry if n not in ("i", "t", "p", "ts", "more", "entropy", "turn", "end")]
    optional = {"fx", "line", "timers", "isolation", "ref"}
    del entry[rng.choice(sorted(set(fields) - optional))]


@attack("guess", "E_TYPE")
def an_entry_is_of_an_unknown_type(f: Bundle, rng: R) -> None:
    pick(rng, said(f))["t"] = "gift"


@attack("guess", "E_FIELDS")
def true_stands_for_one(f: Bundle, rng: R) -> None:
    pick(rng, said(f))["m"]["c"] = True


@attack("guess", "E_TS")
def time_runs_backwards(f: Bundle, rng: R) -> None:
    said(f)[-1]["ts"] = said(f)[0]["ts"] - 1


@attack("guess", "E_TS")
def a_run_has_a_time_of_its_own(f: Bundle, rng: R) -> None:
    pick(rng, runs(f))["ts"] = 1_800_000_000_000


# --- steps ---------------------------------------------------------------------------------


@attack("coin", "E_RUN")
def a_step_is_cut_in_two(f: Bundle, rng: R) -> None:
    del first(run for run in runs(f) if "more" in run)["more"]


@attack("guess", "E_MSG")
def two_steps_are_made_one(f: Bundle, rng: R) -> None:
    """A word and the answer to it: the answer would be due before its word is in."""
    answered = {run["on"] for run in runs(f)}
    pick(rng, [e for e in said(f) if e["i"] in answered])["more"] = True


@attack("wild", "E_RUN_SKIPPED", "RULES")
def a_hook_is_moved_behind_the_next_word(f: Bundle, rng: R) -> None:
    run = first(r for r in runs(f, hook="on_message"))
    move(f, run["i"], run["i"] + 1)


@attack("change", "E_ACCEPT")
def consent_and_what_follows_are_two_steps(f: Bundle, rng: R) -> None:
    del first(e for e in f.of("accept") if "more" in e)["more"]


@attack("guess", "E_MORE")
def the_log_ends_in_the_middle_of_a_step(f: Bundle, rng: R) -> None:
    f.entries.pop()


# --- seats, terms, changes -------------------------------------------------------------------


@attack("guess", "E_TERMS")
def terms_were_others_than_those_accepted(f: Bundle, rng: R) -> None:
    pick(rng, f.of("join"))["terms"] = "sha256:" + rng.randbytes(32).hex()


@attack("guess", "E_JOIN")
def a_seat_is_taken_twice(f: Bundle, rng: R) -> None:
    join = f.of("join")[0]
    inserted(f, join["i"] + 1, {**join, "who": "A" * 16})


@attack("guess", "E_TERMS")
def the_params_are_others_than_those_accepted(f: Bundle, rng: R) -> None:
    f.of("attach")[0]["params"]["low"] = 99


@attack("guess", "E_TERMS")
def the_commitment_of_the_seed_comes_after_the_joins(f: Bundle, rng: R) -> None:
    f.of("attach")[0]["commit"] = b64u(rng.randbytes(32))


@attack("guess", "E_TERMS")
def the_room_s_limits_are_raised_afterwards(f: Bundle, rng: R) -> None:
    f.entries[0]["limits"]["hook_fuel"] *= 2


@attack("guess", "E_TERMS")
def a_seat_was_admin_from_the_beginning(f: Bundle, rng: R) -> None:
    first(s for s in f.entries[0]["slots"] if s["kind"] == "invite")["admin"] = True


@attack("guess", "E_ATTACH")
def the_manifest_is_another_than_its_hash(f: Bundle, rng: R) -> None:
    f.of("attach")[0]["manifest"]["summary"] = "a fair game"


@attack("guess", "E_ATTACH")
def a_referee_comes_after_strangers_without_their_consent(f: Bundle, rng: R) -> None:
    attach, message = f.of("attach")[0], pick(rng, said(f))
    mole = {**attach, "bot": "mole", "slot": STRANGER, "ts": message["ts"]}
    inserted(f, message["i"], mole)


@attack("guess", "E_DETACH")
def the_referee_is_removed_by_nobody(f: Bundle, rng: R) -> None:
    last = f.of("reveal")[-1]
    ts = said(f)[-1]["ts"]
    f.entries.append({"t": "detach", "bot": last["bot"], "ts": ts})


@attack("guess", "E_ADMIN")
def a_seat_becomes_admin_by_nobody_s_will(f: Bundle, rng: R) -> None:
    message = pick(rng, said(f))
    inserted(f, message["i"], {"t": "admin", "slot": "s1", "on": True, "ts": message["ts"]})


@attack("guess", "E_RENAME")
def the_room_is_renamed_by_nobody(f: Bundle, rng: R) -> None:
    message = pick(rng, said(f))
    inserted(f, message["i"], {"t": "rename", "name": "x", "ts": message["ts"]})


@attack("guess", "E_CLOSE")
def the_room_is_closed_by_nobody(f: Bundle, rng: R) -> None:
    f.entries.append({"t": "close", "ts": said(f)[-1]["ts"]})


@attack("change", "E_MSG")
def somebody_speaks_in_a_closed_room(f: Bundle, rng: R) -> None:
    message = said(f)[-1]
    ts = f.of("close")[0]["ts"]
    m = {**message["m"], "c": message["m"]["c"] + 1}
    f.entries.append({"t": "msg", "m": m, "ts": ts})


@attack("change", "E_ACCEPT")
def who_had_not_accepted_is_said_to_have(f: Bundle, rng: R) -> None:
    pick(rng, f.of("accept")[:-1])["slot"] = "s0"


@attack("change", "E_ACCEPT")
def a_change_comes_without_everybody_s_consent(f: Bundle, rng: R) -> None:
    without(f, pick(rng, [e for e in f.of("accept") if "more" not in e])["i"])


@attack("change", "E_ATTACH")
def another_referee_comes_than_was_proposed(f: Bundle, rng: R) -> None:
    f.of("attach")[1]["params"] = {"low": 1, "high": 2}


@attack("change", "E_TERMS")
def another_change_is_accepted_than_was_proposed(f: Bundle, rng: R) -> None:
    terms = "sha256:" + rng.randbytes(32).hex()
    proposed = f.of("propose")[1]["terms"]
    for entry in f.entries:
        if entry.get("terms") == proposed:
            entry["terms"] = terms


@attack("change", "E_LEAVE")
def somebody_leaves_who_was_not_here(f: Bundle, rng: R) -> None:
    leave = f.of("leave")[0]
    inserted(f, leave["i"] + 1, dict(leave))


@attack("change", "E_LEAVE")
def an_admin_empties_another_s_seat_by_itself(f: Bundle, rng: R) -> None:
    """The server writes it in the admin's name, without asking anybody."""
    message = pick(rng, [e for e in said(f) if e["i"] < f.of("leave")[0]["i"]])
    _yielded(f, message["i"], message["ts"])


@attack("change", "E_LEAVE")
def a_seat_is_emptied_that_was_only_proposed_to_be(f: Bundle, rng: R) -> None:
    place, ts = f.of("accept")[-1]["i"], f.of("accept")[-1]["ts"]
    without(f, place, 3)  # the change and the leave are of its step
    _yielded(f, place, ts)


def _yielded(f: Bundle, place: int, ts: int) -> None:
    inserted(f, place, {"t": "leave", "slot": "s2", "ts": ts, "more": True})
    inserted(f, place + 1, {"t": "invite", "slot": "s2", "hash": "0" * 64, "ts": ts})


@attack("change", "E_ACCEPT")
def who_proposed_to_empty_a_seat_accepts_for_the_others(f: Bundle, rng: R) -> None:
    f.of("accept")[-1]["slot"] = "s1"


@attack("change", "E_TERMS")
def a_seat_is_emptied_that_was_not_the_one_proposed(f: Bundle, rng: R) -> None:
    f.of("propose")[-1]["ops"][0]["player_id"] = "alice"


@attack("change", "E_CLOSE")
def an_admin_closes_a_running_game_by_itself(f: Bundle, rng: R) -> None:
    message = pick(rng, [e for e in said(f) if e["i"] < f.of("leave")[0]["i"]])
    inserted(f, message["i"], {"t": "close", "ts": message["ts"]})


@attack("change", "E_TAKEOVER")
def an_empty_seat_is_taken_over(f: Bundle, rng: R) -> None:
    leave = f.of("leave")[0]
    inserted(
        f,
        leave["i"] + 1,
        {"t": "takeover", "slot": leave["slot"], "who": "A" * 16, "ts": leave["ts"]},
    )


@attack("guess", "E_START")
def the_game_is_started_by_nobody(f: Bundle, rng: R) -> None:
    join = f.of("join")[1]
    inserted(f, join["i"], {"t": "start", "closed": [], "ts": join["ts"]})


@attack("guess", "E_GENESIS")
def a_second_room_begins_in_the_first(f: Bundle, rng: R) -> None:
    message = pick(rng, said(f))
    inserted(f, message["i"], {**f.entries[0], "ts": message["ts"]})


# --- clocks, keys, what the server writes by itself ---------------------------------------------


@attack("coin", "E_TICK")
def a_clock_runs_out_before_its_time(f: Bundle, rng: R) -> None:
    tick = f.of("tick")[0]
    tick["ts"] -= rng.choice((1, 1000))
    first(r for r in runs(f) if r["on"] == tick["i"])["now"] = tick["ts"]


@attack("guess", "E_TICK")
def a_clock_runs_out_that_never_ran(f: Bundle, rng: R) -> None:
    message = pick(rng, said(f))
    tick = {"t": "tick", "bot": f.of("attach")[0]["bot"], "name": "turn", "ts": message["ts"]}
    inserted(f, message["i"], tick)


@attack("wild", "E_TICK")
def another_clock_runs_out_than_was_due(f: Bundle, rng: R) -> None:
    f.of("tick")[0]["name"] = "late" if f.of("tick")[0]["name"] != "late" else "turn"


@attack("change", "E_KEY")
def a_rotation_is_vouched_for_by_the_new_key_alone(f: Bundle, rng: R) -> None:
    key = f.of("key")[0]
    name = f.entries[0]["origin"]
    key["note"] = checkpoint.signed(f"{key['vkey']}\n", name, NEXT.public, NEXT.sign)


@attack("change", "E_KEY")
def a_rotation_is_vouched_for_by_a_stranger(f: Bundle, rng: R) -> None:
    thief = LogKey(b"t" * 32)
    key, name = f.of("key")[0], f.entries[0]["origin"]
    text = f"{key['vkey']}\n"
    signed = checkpoint.signed(text, name, thief.public, thief.sign)
    key["note"] = signed + checkpoint.signature(text, name, NEXT.public, NEXT.sign)


@attack("change", "E_KEY")
def a_rotation_s_note_is_of_another_key(f: Bundle, rng: R) -> None:
    key, name = f.of("key")[0], f.entries[0]["origin"]
    text = f"{KEY.vkey(name)}\n"
    signed = checkpoint.signed(text, name, KEY.public, KEY.sign)
    key["note"] = signed + checkpoint.signature(text, name, NEXT.public, NEXT.sign)


@attack("change", "E_SIGNATURE", resign=False)
def a_rotation_is_left_out_and_the_new_key_signs(f: Bundle, rng: R) -> None:
    without(f, f.of("key")[0]["i"])
    reforge(f, NEXT)


@attack("guess", "E_KEY")
def the_room_s_key_is_named_after_another_room(f: Bundle, rng: R) -> None:
    f.entries[0]["key"] = KEY.vkey("mp.example/c/chn_other")


@attack("guess", "E_RUNTIME")
def a_runtime_is_changed_with_no_hook_due(f: Bundle, rng: R) -> None:
    message = pick(rng, said(f))
    inserted(f, message["i"], {"t": "runtime", "runtime": "cpython-3.12.1+00000000/mpx-1"})


@attack("guess", "E_RESTORED")
def entries_are_said_to_be_lost_that_are_here(f: Bundle, rng: R) -> None:
    size = len(f.entries)
    ts = said(f)[-1]["ts"]
    small = rng.randrange(1, size)
    f.entries.append({"t": "restored", "size": small, "root": b64u(roots(f)[small]), "ts": ts})


@attack("guess", "I_RESTORED", "RULES", state=NOT_PROVEN)
def a_lost_game_is_said_to_have_been_restored(f: Bundle, rng: R) -> None:
    """The server says so itself; what was lost, whoever kept a head can show."""
    ts = said(f)[-1]["ts"]
    root = b64u(hashlib.sha256(b"x").digest())
    f.entries.append({"t": "restored", "size": len(f.entries) + 5, "root": root, "ts": ts})


@attack("guess", "E_RESTORED")
def a_room_goes_on_after_entries_were_lost(f: Bundle, rng: R) -> None:
    ts = said(f)[-1]["ts"]
    lost = {"t": "restored", "size": len(f.entries) + 5, "root": b64u(bytes(32)), "ts": ts}
    f.entries += [lost, {**lost, "size": len(f.entries) + 9}]


@attack("guess", "I_LIVE", state=NOT_PROVEN)
def the_server_cuts_the_end_off(f: Bundle, rng: R) -> None:
    del f.entries[pick(rng, f.of("msg")[1:])["i"] :]


@attack("coin", "I_LIVE", state=NOT_PROVEN)
def the_last_game_is_cut_off_after_a_seed(f: Bundle, rng: R) -> None:
    """Right after the end of the first it would be a record like any other, and PROVEN."""
    del f.entries[runs(f)[-3]["i"] + 1 :]
    f.openings.clear()


@attack("late", "E_RUN_SKIPPED", "RULES")
def a_head_is_signed_before_the_referee_has_answered(f: Bundle, rng: R) -> None:
    del f.entries[runs(f, hook="on_message")[0]["i"] :]


@attack("guess", "E_FIELDS")
def hooks_ran_on_a_python_that_nobody_can_have(f: Bundle, rng: R) -> None:
    """Else whatever differs could be put down to it for ever."""
    f.of("attach")[0]["runtime"] = "pythonia-3.11/mpx-1"
