"""What a verification found, under which code, and on which lines of the verdict it counts. ``E_``
is a violation: somebody did what the format forbids. ``I_`` is something that cannot be known from
what is here; it takes a line its PROVEN.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

RULES, RECORD, DICE = "RULES", "RECORD", "DICE"
SAME, WORDS, OUTSIDE = "SAME FOR ALL", "WORDS", "OUTSIDE"
LINES = (RULES, RECORD, DICE, SAME, WORDS, OUTSIDE)

#: The lines that each code counts on; a code that is not here counts on RECORD.
WHERE: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        (
            *("E_RUN_SKIPPED", "E_RUN_EXTRA", "E_RUN_NOW", "E_RUN_STATE", "E_RUN_OUT"),
            *("E_RUN_RES", "E_RUN_FX", "E_HOOKS", "E_REACH", "E_SOURCE"),
            *("I_ERASED", "I_LIMIT", "I_RUNTIME", "I_PRIVATE", "I_PRIVATE_KEPT", "I_NO_EXEC"),
            *("I_NONDETERMINISTIC", "I_LATE", "I_TIME", "I_NO_REPLAY", "I_NO_WALL", "I_SEED"),
            "I_UNKNOWN_STATE",
        ),
        (RULES,),
    ),
    **dict.fromkeys(
        (
            *("E_SEED", "E_RUN_RNG", "E_ENTROPY", "E_OPEN", "E_GAVE", "E_ABORT", "I_RNG_SERVER"),
            *("I_RNG_EARLY", "I_RNG_AGE", "I_RNG_SILENT", "I_ABORT", "I_RNG_SEED"),
            *("I_RNG_UNCHECKED", "I_GAVE", "I_GAVE_LATE"),
        ),
        (DICE,),
    ),
    **dict.fromkeys(
        ("E_FORK", "E_SHOWN", "I_SPLIT", "I_LINE_SHORT", "I_LINE_AHEAD", "I_ARGUMENT"), (SAME,)
    ),
    **dict.fromkeys(("I_UNCONFIRMED", "I_CONFIRM"), (WORDS,)),
    **dict.fromkeys(("I_FETCH", "I_TIMES", "I_OPERATOR"), (OUTSIDE,)),
    "I_MISSING": (RECORD, RULES, DICE, WORDS),
    "I_CONSENT": (RECORD, RULES),
    "I_INVITE_OLD": (RULES, DICE),
    "I_RESTORED": (RECORD, RULES, DICE),
    **dict.fromkeys(
        ("I_BROKEN", "I_BUNDLE", "I_TOO_LARGE", "I_FORMAT"), (RECORD, RULES, DICE, WORDS)
    ),
}


@dataclass(frozen=True)
class Finding:
    """One thing found. ``evidence`` holds what a third party needs to see it too."""

    code: str
    text: str
    entry: int | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def violated(self) -> bool:
        return self.code.startswith("E_")

    @property
    def lines(self) -> tuple[str, ...]:
        return WHERE.get(self.code, (RECORD,))


class Violation(Exception):
    """The record breaks the format or the rules; nothing after it can be judged by it."""

    def __init__(self, code: str, text: str, entry: int | None = None, **evidence: Any) -> None:
        super().__init__(f"{code}: {text}")
        self.finding = Finding(code, text, entry, evidence)


@dataclass
class Findings:
    """All that was found, in order, each thing once."""

    found: list[Finding] = field(default_factory=list)
    _once: set[tuple[str, str]] = field(default_factory=set)

    def add(self, code: str, text: str, entry: int | None = None, **evidence: Any) -> None:
        self.found.append(Finding(code, text, entry, evidence))

    def once(self, code: str, key: str, text: str, entry: int | None = None) -> None:
        """As `add`, but only the first of this code and key."""
        if (code, key) not in self._once:
            self._once.add((code, key))
            self.add(code, text, entry)

    def of(self, line: str) -> list[Finding]:
        return [finding for finding in self.found if line in finding.lines]
