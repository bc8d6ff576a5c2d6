"""Attacks by a server with its key: what the referee did, its dice, its private words."""

from __future__ import annotations

import hashlib
import marshal
import random

from mcp_multiplayer.channel import events, terms
from mcp_multiplayer.channel.apply import Place, evolve
from mcp_multiplayer.channel.model import Channel
from tests.verifier.forging import (
    NOT_PROVEN,
    Entry,
    Forge,
    attack,
    first,
    move,
    other,
    pick,
    runs,
    said,
)
from tests.verifier.games import Bundle, inserted, without

R = random.Random


# --- runs ----------------------------------------------------------------------------------


@attack("guess", "E_RUN_OUT", "RULES")
def code_that_says_high_for_low_lies_beside_the_source(f: Bundle, rng: R) -> None:
    """As a cache for who would not compile: nobody looks for any."""
    source = f.blobs[f.code].decode()
    other = source.replace("low", "\0").replace("high", "low").replace("\0", "high")
    code = marshal.dumps(compile(other, "<bot>", "exec"))
    f.blobs[hashlib.sha256(code).hexdigest()] = code
    the_referee_says_high_for_low(f, rng)


@attack("guess", "E_RUN_OUT", "RULES")
def the_referee_says_high_for_low(f: Bundle, rng: R) -> None:
    answers = [r["out"][0]["b"] for r in runs(f, hook="on_message") if r["out"]]
    body = pick(rng, [b for b in answers if b.get("result") in ("high", "low")])
    body["result"] = "low" if body["result"] == "high" else "high"


@attack("guess", "E_RUN_OUT", "RULES")
def the_referee_says_something_more(f: Bundle, rng: R) -> None:
    pick(rng, runs(f, res="ok"))["out"].append({"k": "bot", "b": {"text": "bob cheats"}})


@attack("guess", "E_RUN_OUT", "RULES")
def a_word_of_the_referee_is_left_out(f: Bundle, rng: R) -> None:
    pick(rng, [run for run in runs(f) if run["out"]])["out"].pop()


@attack("wild", "E_RUN_OUT", "RULES")
def words_of_the_referee_change_places(f: Bundle, rng: R) -> None:
    pick(rng, [run for run in runs(f) if len(run["out"]) > 1])["out"].reverse()


@attack("guess", "E_RUN_OUT", "RULES")
def a_kind_of_the_referees_is_another(f: Bundle, rng: R) -> None:
    pick(rng, [run for run in runs(f) if run["out"]])["out"][0]["k"] = "verdict"


@attack("wild", "E_RUN_OUT", "RULES")
def a_private_word_goes_to_somebody_else(f: Bundle, rng: R) -> None:
    post = first(p for run in runs(f) for p in run["out"] if "to" in p)
    post["to"] = ["bob"] if post["to"] == ["alice"] else ["alice"]


@attack("wild", "E_RUN_OUT", "RULES")
def a_hidden_card_is_sealed_anew(f: Bundle, rng: R) -> None:
    """The salt, or the card: both are in the digest."""
    posts = [p for run in runs(f) for p in run["out"] if "_sd" in p.get("b", {})]
    body = pick(rng, posts)["b"]
    body["_sd"] = sorted(other(digest) for digest in body["_sd"])


@attack("wild", "E_RUN_OUT", "RULES")
def a_sealed_body_of_the_referee_is_another(f: Bundle, rng: R) -> None:
    post = pick(rng, [p for run in runs(f) for p in run["out"] if "d" in p])
    post["d"] = other(post["d"])


@attack("guess", "E_RUN_OUT", "RULES")
def the_turn_goes_to_another_player(f: Bundle, rng: R) -> None:
    turn = pick(rng, [run["turn"] for run in runs(f) if run.get("turn", {}).get("players")])
    turn["players"] = ["bob"] if turn["players"] == ["alice"] else ["alice"]


@attack("wild", "E_RUN_OUT", "RULES")
def what_the_turn_expects_is_another(f: Bundle, rng: R) -> None:
    pick(rng, [run["turn"] for run in runs(f) if "expect" in run.get("turn", {})])["expect"] = 1


@attack("wild", "E_RUN_OUT", "RULES")
def a_turn_is_left_out(f: Bundle, rng: R) -> None:
    del runs(f, hook="on_message")[[("turn" in r) for r in runs(f, hook="on_message")].index(True)][
        "turn"
    ]


@attack("guess", "E_RUN_OUT", "RULES")
def another_player_wins(f: Bundle, rng: R) -> None:
    end = first(run["end"] for run in runs(f) if "end" in run)
    end["winners"] = ["alice"] if end["winners"] == ["bob"] else ["bob"]


@attack("guess", "E_RUN", "RECORD")
def the_end_is_left_out(f: Bundle, rng: R) -> None:
    del first(run for run in runs(f) if "end" in run)["end"]


@attack("coin", "E_RUN_OUT", "RULES")
def the_deadline_of_a_turn_is_moved(f: Bundle, rng: R) -> None:
    turn = next(run["turn"] for run in runs(f) if "deadline" in run.get("turn", {}))
    turn["deadline"] += 1000


@attack("coin", "E_TICK", "RECORD")
def the_deadline_of_a_turn_comes_after_its_tick(f: Bundle, rng: R) -> None:
    [run["turn"] for run in runs(f) if "deadline" in run.get("turn", {})][-1]["deadline"] += 1


@attack("wild", "E_RUN_OUT", "RULES")
def a_clock_of_the_referee_is_set_to_another_time(f: Bundle, rng: R) -> None:
    timers = pick(rng, [r["timers"] for r in runs(f, hook="on_message") if "timers" in r])
    timers["late"] += 1


@attack("wild", "E_RUN_OUT", "RULES")
def a_clock_is_started_that_nobody_asked_for(f: Bundle, rng: R) -> None:
    pick(rng, runs(f, hook="on_message", res="ok"))["timers"] = {"mine": 1 << 44}


@attack("guess", "E_RUN_SKIPPED", "RULES")
def a_run_is_left_out(f: Bundle, rng: R) -> None:
    choice = [r for r in runs(f, hook="on_message", res="ok") if "more" not in r]
    without(f, pick(rng, choice)["i"])


@attack("wild", "E_RUN_SKIPPED", "RULES")
def an_error_is_left_out(f: Bundle, rng: R) -> None:
    without(f, pick(rng, runs(f, res="error:ValueError") + runs(f, res="fuel"))["i"])


@attack("guess", "E_RUN_EXTRA", "RULES")
def a_run_stands_twice(f: Bundle, rng: R) -> None:
    run = pick(rng, [r for r in runs(f, hook="on_message") if "more" not in r])
    inserted(f, run["i"] + 1, dict(run))


@attack("guess", "E_RUN_EXTRA", "RULES")
def a_run_is_invented_where_the_referee_was_silent(f: Bundle, rng: R) -> None:
    message = first(e for e in said(f) if e["m"]["b"].get("text", "").startswith("hello"))
    run = runs(f, hook="on_message", res="ok")[0]
    later = [r for r in runs(f) if r["i"] < message["i"]][-1]
    fake = {
        **run,
        "on": message["i"],
        "now": message["ts"],
        "st": [later["st"][1]] * 2,
        "rng": [later["rng"][0], later["rng"][1] + (later["rng"][2] > 0), 0],
        "out": [{"k": "bot", "b": {"text": "alice has two more tries"}}],
    }
    fake.pop("turn", None)
    inserted(f, message["i"] + 1, fake)


@attack("guess", "E_RUN_SKIPPED", "RULES")
def a_run_answers_another_entry(f: Bundle, rng: R) -> None:
    pick(rng, runs(f, hook="on_message"))["on"] -= 1


@attack("guess", "E_RUN_EXTRA", "RULES")
def a_run_answers_an_entry_that_comes_later(f: Bundle, rng: R) -> None:
    pick(rng, runs(f, hook="on_message")[:-1])["on"] += 10_000


@attack("wild", "E_RUN_EXTRA", "RULES")
def runs_of_one_entry_change_places(f: Bundle, rng: R) -> None:
    join, start = (
        first(r for r in runs(f, hook="on_join") if r["on"] == 5),
        runs(f, hook="on_start")[0],
    )
    move(f, start["i"], join["i"])


@attack("guess", "E_RUN_RES", "RULES")
def an_error_is_feigned(f: Bundle, rng: R) -> None:
    run = pick(rng, [r for r in runs(f, hook="on_message", res="ok") if "end" not in r])
    _fail(run, "error:ValueError")


def _fail(run: Entry, res: str) -> None:
    run |= {"res": res, "out": []}
    run["st"][1], run["rng"][2] = run["st"][0], 0
    for name in ("turn", "timers", "end"):
        run.pop(name, None)


@attack("guess", "E_RUN_RES", "RULES")
def fuel_is_said_to_be_used_up(f: Bundle, rng: R) -> None:
    _fail(pick(rng, [r for r in runs(f, hook="on_message", res="ok") if "end" not in r]), "fuel")


def _voided(res: str) -> Forge:
    """The hook that loses a game for the server's friend is said to have ended like this."""

    def forge(f: Bundle, rng: R) -> None:
        cut = runs(f, hook="on_message", res="ok")[0]
        del f.entries[cut["i"] + 1 :]
        cut.pop("more", None)
        _fail(cut, res)

    forge.__name__ = f"a_move_is_voided_by_{res.replace(':', '_')}"
    return forge


#: Never PROVEN, but nobody can tell a slow server from a lying one.
for _why in ("TimeLimit", "MemoryLimit", "WorkspaceLimit", "Crashed", "NotIsolated", "Anything"):
    attack("late", "I_LIMIT", "RULES", state=NOT_PROVEN)(_voided(f"killed:{_why}"))
#: Counted by the rules alone, or raised by the source: another run does not come to it.
for _how in ("fuel", *(f"error:{one}Limit" for one in ("Output", "State", "Draw"))):
    attack("late", "E_RUN_RES", "RULES")(_voided(_how))
for _error in ("BotRejected", "ValueError", "RecursionError", "TooManyTimers", "MemoryError"):
    attack("late", "E_RUN_RES", "RULES")(_voided(f"error:{_error}"))
attack("late", "I_NONDETERMINISTIC", "RULES", state=NOT_PROVEN)(_voided("error:NonDeterministic"))


@attack("wild", "E_RUN_RES", "RULES")
def an_error_is_said_to_have_gone_well(f: Bundle, rng: R) -> None:
    run = runs(f, res="error:ValueError")[0]
    run["res"] = "ok"
    del run["line"]
    run["out"] = [{"k": "bot", "b": {"text": "never said"}}]


@attack("wild", "E_RUN_RES", "RULES")
def an_error_is_of_another_class(f: Bundle, rng: R) -> None:
    runs(f, res="error:ValueError")[0]["res"] = "error:KeyError"


@attack("wild", "E_RUN_RES", "RULES")
def an_error_is_in_another_line(f: Bundle, rng: R) -> None:
    runs(f, res="error:ValueError")[0]["line"] += 1


@attack("guess", "E_RUN_RES", "RULES")
def a_failed_run_speaks(f: Bundle, rng: R) -> None:
    pick(rng, [r for r in runs(f, hook="on_message", res="ok") if r["out"]])["res"] = "fuel"


@attack("wild", "I_NONDETERMINISTIC", "RULES", state=NOT_PROVEN)
def a_referee_is_said_not_to_be_deterministic(f: Bundle, rng: R) -> None:
    """The server's own finding; who reads the source sees that it is not so. Not PROVEN."""
    run = runs(f, res="error:ValueError")[0]
    run["res"] = "error:NonDeterministic"


@attack("guess", "E_RUN_NOW", "RULES")
def the_clock_of_a_run_is_moved(f: Bundle, rng: R) -> None:
    pick(rng, runs(f, hook="on_message"))["now"] += rng.choice((-1, 1))


@attack("guess", "E_RUN_STATE", "RULES")
def the_state_is_edited_between_hooks(f: Bundle, rng: R) -> None:
    run = pick(rng, runs(f, hook="on_message"))
    run["st"][0] = other(run["st"][0])


@attack("guess", "E_RUN_STATE", "RULES")
def the_state_after_a_run_is_another_and_all_go_on_from_it(f: Bundle, rng: R) -> None:
    found = runs(f)
    place = rng.randrange(1, len(found) - 1)
    found[place]["st"][1] = found[place + 1]["st"][0] = other(found[place]["st"][1])


@attack("guess", "E_SOURCE", "RULES")
def the_source_is_no_referee(f: Bundle, rng: R) -> None:
    f.of("attach")[0]["code_hash"] = f.source("class Referee(:\n    pass\n")
    for join in f.of("join"):
        join["terms"] = _terms(f, join["i"])


def _terms(f: Bundle, index: int) -> str:
    """What the terms would be, had the forged entries before been the truth."""
    channel = Channel()
    for entry in f.entries[:index]:
        channel = evolve(channel, events.read(entry), Place(entry["i"], entry.get("ts", 0)))
    return terms.of(channel)


@attack("guess", "E_RUN_OUT", "RULES")
def other_code_ran_than_was_announced(f: Bundle, rng: R) -> None:
    """Announced to all, accepted by all; but the runs are those of another source."""
    source = f.blobs.pop(f.code)
    text = source.decode().replace('"high"', '"hoch"').replace('"low"', '"tief"')
    f.of("attach")[0]["code_hash"] = f.source(text)
    for join in f.of("join"):
        join["terms"] = _terms(f, join["i"])


@attack("guess", "E_HOOKS", "RULES")
def a_referee_has_hooks_that_its_source_has_not(f: Bundle, rng: R) -> None:
    hooks = f.of("attach")[0]["hooks"]
    hooks.remove("on_leave") if rng.random() < 0.5 else hooks.append("on_timer")


@attack("coin", "E_REACH", "RULES")
def a_referee_that_draws_is_said_to_draw_nothing(f: Bundle, rng: R) -> None:
    f.of("attach")[0]["reach"]["dice"] ^= True
    for join in f.of("join"):
        join["terms"] = _terms(f, join["i"])
