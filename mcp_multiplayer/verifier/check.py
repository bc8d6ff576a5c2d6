"""One verification from file to verdict.

Nothing that a file holds raises out of here: what was not foreseen is a violation with a
code of its own, because a file that breaks the verifier must not pass for one that was checked.
"""

from __future__ import annotations

import base64
import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcp_multiplayer.channel.events import Genesis
from mcp_multiplayer.channel.model import Channel
from mcp_multiplayer.sandbox.call import Limits
from mcp_multiplayer.service import hook_io
from mcp_multiplayer.transcript import checkpoint
from mcp_multiplayer.verifier import archive, attributed_actions, check_shown, parse_log, verdict
from mcp_multiplayer.verifier.archive import Record
from mcp_multiplayer.verifier.check_shown import Agreed
from mcp_multiplayer.verifier.executor import Executor
from mcp_multiplayer.verifier.findings import Findings, Violation
from mcp_multiplayer.verifier.heads import Heads, Unusable
from mcp_multiplayer.verifier.parse_log import Log
from mcp_multiplayer.verifier.replay_log import Walk, Walked
from mcp_multiplayer.verifier.verdict import Verdict

LARGEST_KB = 1 << 16  #: of what a hook may answer, whatever its room allows


@dataclass(frozen=True)
class Wishes:
    """What is to be compared with the file."""

    invites: Sequence[str] = ()
    lines: Sequence[str] = ()
    heads: Sequence[tuple[str, str]] = ()  #: (label, note)
    receipts: Sequence[tuple[str, str]] = ()  #: (file name, tlog-proof)
    confirmed: Sequence[str] = ()
    gave: Sequence[tuple[str, str]] = ()  #: (label, value for the dice)
    saw: Sequence[tuple[str, str]] = ()  #: (label, what tools told them)
    me: str | None = None
    execute: bool = True
    max_seconds: float = 600.0


@dataclass
class Checked:
    """What came of it."""

    findings: Findings = field(default_factory=Findings)
    verdicts: list[Verdict] = field(default_factory=list)
    walked: Walked = field(default_factory=Walked)
    log: Log | None = None
    heads: Heads | None = None
    saw: list[Agreed] = field(default_factory=list)
    origin: str = ""
    walls: str = ""

    @property
    def exit_code(self) -> int:
        return verdict.exit_code(self.verdicts)

    @property
    def root(self) -> str:
        return "" if self.log is None else base64.b64encode(self.log.root(self.log.size)).decode()

    @property
    def fingerprint(self) -> str:
        """Of key and head, as an invite would carry it."""
        if self.log is None or self.heads is None or not self.heads.keys:
            return ""
        size = self.log.size
        key = self.heads.key_at(size)
        return checkpoint.invite_fingerprint(key, self.heads.origin, size, self.log.root(size))


def check_file(path: Path, wishes: Wishes, executor: Executor | None = None) -> Checked:
    """Check a file. ``executor`` stands in for the jail (in tests)."""
    checked = Checked()
    try:
        found = archive.read(path)
    except Violation as violation:
        checked.findings.found.append(violation.finding)
        return _judged(checked, wishes)
    except (OSError, MemoryError) as error:
        _blame_machine(checked, error)
        return _judged(checked, wishes)
    return check(found, wishes, executor, checked)


def check(
    found: Record, wishes: Wishes, executor: Executor | None = None, into: Checked | None = None
) -> Checked:
    """Check what was read from a file."""
    checked = into or Checked()
    try:
        _check(found, wishes, executor, checked)
    except Violation as violation:
        checked.findings.found.append(violation.finding)
    except (ImportError, OSError, MemoryError) as error:
        _blame_machine(checked, error)
    except Exception as error:  # noqa: BLE001  the boundary: see the header
        text = f"the verifier was not made for this: {type(error).__name__}: {error!s:.200}"
        checked.findings.add("E_UNFORESEEN", text)
    return _judged(checked, wishes)


def _blame_machine(checked: Checked, error: Exception) -> None:
    """This machine's fault, which accuses nobody."""
    checked.walked.whole = False
    for code in ("I_BROKEN", "I_MACHINE"):
        checked.findings.add(code, f"this machine cannot verify: {error!r:.200}")


def _judged(checked: Checked, wishes: Wishes) -> Checked:
    try:
        checked.verdicts = _verdicts(checked, wishes)
    except MemoryError as error:
        _blame_machine(checked, error)
        checked.verdicts = _verdicts(checked, wishes)
    except Exception as error:  # noqa: BLE001  as in `check`
        checked.walked.whole = False
        text = f"the verifier was not made for this: {type(error).__name__}: {error!s:.200}"
        checked.findings.add("E_UNFORESEEN", text)
        checked.verdicts = _verdicts(checked, wishes)
    return checked


def _verdicts(checked: Checked, wishes: Wishes) -> list[Verdict]:
    return verdict.verdicts(
        checked.log,
        checked.walked,
        checked.heads,
        checked.findings,
        me=wishes.me,
        confirmed=wishes.confirmed,
    )


def _check(found: Record, wishes: Wishes, executor: Executor | None, checked: Checked) -> None:
    findings = checked.findings
    checked.log = parse_log.read(found.lines)
    walk = Walk(checked.log, found, findings, None)
    checked.walked = walk.walked
    walk.read()
    first = walk.events[0]
    if not isinstance(first, Genesis):
        raise Violation("E_GENESIS", "entry 0 is no genesis", 0)
    checked.origin = first.origin
    checked.heads = Heads(checked.log, walk.events, findings)
    checked.heads.check_own(found.checkpoint)
    checked.log.check_whole()
    _compare(checked.heads, wishes, findings)
    _walk(walk, first, wishes, executor, checked)
    channel = checked.walked.channel
    _check_names(wishes, channel, checked.heads, findings)
    for who, value in wishes.gave:
        if channel.seat(who) is not None:
            attributed_actions.check_gave(who, value, walk.events, channel, findings)
    for who, text in wishes.saw:
        try:
            agreed = check_shown.check_saw(
                who, text, checked.log, checked.walked, walk.events, findings
            )
            if agreed is not None and channel.seat(who) is not None:
                checked.saw.append(agreed)
        except Unusable as error:
            findings.add("I_ARGUMENT", f"not used: {error}")
    if channel.lost:
        text = "the server lost entries and says so; what was in them nobody knows"
        findings.add("I_RESTORED", text)
    elif checked.walked.whole and channel.status in ("open", "playing"):
        findings.add("I_LIVE", f"the game goes on (status {channel.status})")


def _walk(
    walk: Walk, first: Genesis, wishes: Wishes, executor: Executor | None, checked: Checked
) -> None:
    """Walk with a jail around the referees, if there are any and they are to be executed."""
    walk.until = time.monotonic() + 2 * wishes.max_seconds
    if executor is not None or not wishes.execute:
        walk.executor = executor
        walk.go()
        return
    from mcp_multiplayer.verifier import replay

    replayer = replay.Replayer(limits(first.limits), total=wishes.max_seconds)
    try:
        walk.executor = replayer
        with contextlib.suppress(replay.CannotReplay):  # said of each referee in the walk
            if any(entry.entry and entry.entry["t"] == "attach" for entry in walk.log.lines):
                checked.walls = replayer.walls
        walk.go()
    finally:
        replayer.close()


def limits(room: Mapping[str, Any]) -> Limits:
    """Those of a room, as its hooks had them, as far as this machine goes along."""
    capped = {name: min(room[name], LARGEST_KB) for name in ("output_kb", "state_kb")}
    return hook_io.hook_limits({**room, **capped}, Limits(hook_seconds=float(room["hook_seconds"])))


def _compare(heads: Heads, wishes: Wishes, findings: Findings) -> None:
    for task, arguments in (
        (heads.check_invite, [(text,) for text in wishes.invites]),
        (heads.check_line, [(text,) for text in wishes.lines]),
        (heads.check_note, list(wishes.heads)),
        (heads.check_receipt, list(wishes.receipts)),
    ):
        for given in arguments:
            try:
                task(*given)
            except Unusable as error:
                findings.add("I_ARGUMENT", f"not used: {error}")


def _check_names(wishes: Wishes, channel: Channel, heads: Heads, findings: Findings) -> None:
    """That whoever is named has a place here: a name that was mistyped settles nothing, and does
    so aloud. It accuses nobody."""
    lines = [who for who, _ in (*wishes.heads, *wishes.saw)] + heads.typed
    named = {
        "I_ARGUMENT": [*lines, *([wishes.me] if wishes.me is not None else [])],
        "I_GAVE": [who for who, _ in wishes.gave],
        "I_CONFIRM": wishes.confirmed,
    }
    here = ", ".join(slot.label for slot in channel.places)
    for code, names in named.items():
        for who in dict.fromkeys(names):
            if channel.seat(who) is None:
                findings.add(code, f"not used: nobody here is called {who[:40]!r}, only {here}")
