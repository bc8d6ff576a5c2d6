"""Six lines, each PROVEN, NOT PROVEN or VIOLATED, with a reason and what would settle it. PROVEN is
said of nothing that was not checked: each line names what it needs, and is NOT PROVEN as soon as
one thing is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mcp_multiplayer.channel.events import Ask
from mcp_multiplayer.verifier import attributed_actions, check_dice, check_timers, terms_check
from mcp_multiplayer.verifier.findings import (
    DICE,
    LINES,
    OUTSIDE,
    RECORD,
    RULES,
    SAME,
    WORDS,
    Finding,
    Findings,
)
from mcp_multiplayer.verifier.heads import Heads
from mcp_multiplayer.verifier.parse_log import Log
from mcp_multiplayer.verifier.replay_log import Walked

PROVEN, NOT_PROVEN, VIOLATED = "PROVEN", "NOT PROVEN", "VIOLATED"

#: What has a wall on any machine. The file lies in the directory where this is typed.
CONTAINER = (
    'docker run --rm --network none -v "$PWD":/record:ro mcp-multiplayer '
    "python -m mcp_multiplayer.verifier /record/FILE.zip"
)
_LATER = "the seed comes out when the game ends, at close, or after the room's reveal_days"
#: What settles a finding that is no violation.
SETTLE = {
    "I_LIVE": "get the transcript again when the game is over",
    "I_UNSIGNED": "the server's own file has a signed checkpoint, unless the room lost entries",
    "I_SPLIT": 'the line log: that each of them was shown, as --line "bob: 27 S8FX…"',
    "I_SEED": _LATER,
    "I_RNG_SEED": _LATER,
    "I_RNG_SERVER": "in the next room every player gives entropy on joining",
    "I_RNG_SILENT": "in the next room every player gives entropy on joining",
    "I_RNG_UNCHECKED": "what settles RULES",
    "I_GAVE_LATE": "in the next room they sit where they gave it when the game begins",
    "I_RNG_EARLY": "use a referee that draws in on_start or later",
    "I_RNG_AGE": "play in a room whose reveal_days are longer than a game takes",
    "I_ABORT": "play again; who withholds an opening gives plain words only",
    "I_PRIVATE": "they are opened when the seed comes out; or their author asks for a file with "
    "private=true",
    "I_PRIVATE_KEPT": "all who said or were told something agree to open it (op open_sealed)",
    "I_NO_EXEC": "run it again without --no-exec",
    "I_NO_REPLAY": "run verifier.pyz on Linux with a Python that has all its parts",
    "I_NO_WALL": f"verify in the project's container image:\n{CONTAINER}",
    "I_TIME": "give it more time (--max-seconds) or a faster machine",
    "I_CONSENT": "all of them confirm what stands under their names (--confirm)",
    "I_SLOW": "give it more time (--max-seconds)",
    "I_INVITE_OLD": "an invite made later, or the terms that its holder was shown on joining",
    "I_RUNTIME": "run it with the Python version and the verifier that the log names",
    "I_LIMIT": "if it ended here, more time (--max-seconds) or memory; if the server ended it, "
    "nothing can: that it had to is its word",
    "I_LATE": "nothing can: whether the server was too busy to let a clock ring is its word",
    "I_NONDETERMINISTIC": "read the source: does it depend on the order of a set or an address?",
    "I_ERASED": "a file of a member who got it before the words were erased",
    "I_MISSING": "a file that has the whole entry",
    "I_FORMAT": "a verifier of a release that reads this format",
    "I_RESTORED": "the head that was lost, if a member kept its note",
    "I_BUNDLE": "download it again: get_transcript gives a new link",
    "I_BROKEN": "a file whose record is whole",
    "I_TOO_LARGE": "a verifier that takes more: its limits stand in its source",
    "I_INVITE": "the whole link, with what follows the dots",
    **dict.fromkeys(("I_CONFIRM", "I_GAVE"), "repeat it with the name as it stands here"),
    "I_UNCONFIRMED": "they read their part of this report; --confirm says that they did",
    "I_FETCH": "ask the same sources yourself",
    "I_OPERATOR": "ask whoever runs the server",
}


@dataclass(frozen=True)
class Verdict:
    """One line."""

    line: str
    state: str
    reason: str
    settle: str = ""


def verdicts(
    log: Log | None,
    walked: Walked,
    heads: Heads | None,
    findings: Findings,
    *,
    me: str | None,
    confirmed: Iterable[str],
) -> list[Verdict]:
    """Return the six lines in order."""
    if log is not None and heads is not None and walked.whole:
        check_dice.judge(walked, log, findings)
        terms_check.judge(walked, heads, findings, set(confirmed))
        check_timers.judge(walked, log, findings)
        _same(walked, heads, findings, me)
        _words(walked, heads, findings, set(confirmed), me)
    else:
        where = "the record is broken; what comes after that place was not judged"
        if not any(one.code in _NOT_JUDGED for one in findings.found):
            findings.add("I_BROKEN", where)
        findings.add("I_SPLIT", "heads prove nothing about a record that is broken")
    _outside(walked, heads, findings)
    return [_verdict(line, findings, log, walked, heads) for line in LINES]


def _verdict(
    line: str, findings: Findings, log: Log | None, walked: Walked, heads: Heads | None
) -> Verdict:
    found = findings.of(line)
    bad = [one for one in found if one.violated]
    if bad:
        more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        return Verdict(line, VIOLATED, f"{_said(bad[0])}{more}", _SETTLE_BAD.get(bad[0].code, ""))
    if found:
        return Verdict(line, NOT_PROVEN, _all(found), _settle(found))
    assert log is not None
    return Verdict(line, PROVEN, _PROVEN[line](log, walked, heads))


#: Of which it is said already that nothing is judged.
_NOT_JUDGED = ("I_MISSING", "I_BROKEN", "I_BUNDLE", "I_TOO_LARGE", "I_FORMAT")
_SETTLE_BAD = {
    "E_FORK": "show both signed notes to anybody; a typed line wants the signed note of that head",
}


def _said(finding: Finding) -> str:
    place = "" if finding.entry is None else f"entry {finding.entry}: "
    return f"{finding.code}, {place}{finding.text}"


def _all(found: Sequence[Finding]) -> str:
    texts = list(dict.fromkeys(one.text for one in found))
    more = f"; and {len(texts) - 3} more" if len(texts) > 3 else ""
    return "; ".join(texts[:3]) + more


def _settle(found: Sequence[Finding]) -> str:
    settles = [SETTLE.get(one.code, "") for one in found]
    if any(one.code == "I_RESTORED" for one in found):  # nothing is written there any more
        settles = [one for one in settles if one != _LATER]
    return "; ".join(dict.fromkeys(one for one in settles if one))


# --- what the last four lines need -----------------------------------------------------------


def _same(walked: Walked, heads: Heads, findings: Findings, me: str | None) -> None:
    size = heads.log.size
    for label, left in walked.members.items():
        if label == me:
            continue
        # Until a game has ended, words that no referee answered count as much as those it did.
        over = walked.channel.result is not None
        last = walked.last_run if over else max(walked.last_run, walked.last_said)
        needed = min(last + 1 or size, size if left is None else left + 1)
        seen = heads.seen.get(label, 0)
        if seen < needed:
            since = f"from entry {seen} on" if seen else "at all"
            text = f"not compared with what {label} saw {since}"
            findings.add("I_SPLIT", text)


def _words(
    walked: Walked, heads: Heads, findings: Findings, confirmed: set[str], me: str | None
) -> None:
    """Whoever has a receipt need not be the author: the server gives one to everybody."""
    done = attributed_actions.of(heads.events, walked.channels)
    for author in dict.fromkeys([*walked.said, *done]):
        said, did = walked.said.get(author, []), done.get(author, [])
        entries = [message.entry for message in said] + [deed.entry for deed in did]
        if author in confirmed or (author == me and heads.kept.issuperset(entries)):
            continue
        parts = [_count(len(said), "message", "messages"), _count(len(did), "deed", "deeds")]
        what = " and ".join(part for part in parts if part)
        findings.add("I_UNCONFIRMED", f"{author} has not confirmed {what} under that name")


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}" if number else ""


def _outside(walked: Walked, heads: Heads | None, findings: Findings) -> None:
    for entry, event in enumerate(heads.events if heads else ()):
        if isinstance(event, Ask) and event.by is not None:
            did = ", ".join(dict.fromkeys(op["op"] for op in event.ops))
            findings.add("I_OPERATOR", f"the operator of the server acted ({did})", entry)
    fetched = [] if walked.bench is None else walked.bench.tally.fetched
    if fetched:
        text = f"{len(fetched)} runs used answers of the network, which are the server's word"
        findings.add("I_FETCH", text, fetched[0])
        findings.add("I_TIMES", "the times are the server's word")
    else:
        text = "nothing from outside was used, but the times are the server's word"
        findings.add("I_TIMES", text)


def _proven_rules(log: Log, walked: Walked, heads: Heads | None) -> str:
    tally = walked.bench.tally if walked.bench else None
    if tally is None or not walked.channel.attached:
        return "No referee sat in this room, so nothing was said by one."
    silent = f", and the {tally.silent} that left no entry leave none" if tally.silent else ""
    return (
        f"Every hook was executed again from the announced sources ({tally.executed} in all): the "
        f"{tally.runs} runs in the log are what comes of it{silent}."
    )


def _proven_record(log: Log, walked: Walked, heads: Heads | None) -> str:
    pinned = " The invite pins its key and beginning." if heads and heads.pinned else ""
    erased = sum(line.erased for line in log.lines)
    if erased:
        words = "1 entry" if erased == 1 else f"{erased} entries"
        pinned = f" Of the words in {words} that the operator has erased, the hash is left.{pinned}"
    return (
        f"All {log.size} entries are canonical, follow each other, are what the rules of rooms "
        f"allow, and form the head that the room's own key has signed.{pinned}"
    )


def _proven_dice(log: Log, walked: Walked, heads: Heads | None) -> str:
    if not walked.draws:
        return "No dice were drawn."
    count = sum(draw.count for draw in walked.draws)
    draws = "1 draw" if count == 1 else f"{count} draws"
    return (
        f"{draws}, all from a seed that was fixed before the players' words and from what "
        f"stands here as the words of every player (WORDS: whether they are). "
        f"{check_dice.against(walked)}"
    )


def _proven_same(log: Log, walked: Walked, heads: Heads | None) -> str:
    seen = heads.seen if heads else {}
    names = ", ".join(f"{label} ({size})" for label, size in seen.items())
    return f"Heads that the members kept are heads of this log: {names or 'there is nobody else'}."


def _proven_words(log: Log, walked: Walked, heads: Heads | None) -> str:
    authors = {*walked.said, *attributed_actions.of(heads.events if heads else (), walked.channels)}
    if not authors:
        return "No member said or did anything."
    names = ", ".join(sorted(authors))
    return (
        f"Confirmed by their authors, by receipt or as whoever ran this says (--confirm): {names}."
    )


def _never(log: Log, walked: Walked, heads: Heads | None) -> str:
    raise AssertionError("what comes from outside is never proven")


_PROVEN = {
    RULES: _proven_rules,
    RECORD: _proven_record,
    DICE: _proven_dice,
    SAME: _proven_same,
    WORDS: _proven_words,
    OUTSIDE: _never,
}


def exit_code(lines: Sequence[Verdict]) -> int:
    """1 when a line is VIOLATED, 0 when all but OUTSIDE are PROVEN, else 2."""
    states = {one.line: one.state for one in lines}
    if VIOLATED in states.values():
        return 1
    return 0 if all(states[line] == PROVEN for line in LINES if line != OUTSIDE) else 2
