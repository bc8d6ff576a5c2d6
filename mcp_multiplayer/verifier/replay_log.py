"""Goes through a log step by step: its form, the rules, its referees.

Returns what the later checks need. A step that the rules could not have written ends the walk:
the state after it would be a guess, and nobody is accused on a guess.
"""

from __future__ import annotations

import base64
import math
import re
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mcp_multiplayer.channel import erasure, events, invite_codes, strict_reader
from mcp_multiplayer.channel.apply import Place, evolve
from mcp_multiplayer.channel.events import (
    Attach,
    Disclose,
    Erase,
    Event,
    Genesis,
    Join,
    Key,
    Leave,
    Msg,
    Open,
    Restored,
    Reveal,
    Run,
    Runtime,
    Unseal,
)
from mcp_multiplayer.channel.field_types import VERSION
from mcp_multiplayer.channel.model import Bot, Channel, Slot
from mcp_multiplayer.channel.view import Message
from mcp_multiplayer.service.replica import step as placed_step
from mcp_multiplayer.storage.base import Leaf
from mcp_multiplayer.transcript import seeds
from mcp_multiplayer.transcript.canonical_json import canonical
from mcp_multiplayer.verifier import rules_check
from mcp_multiplayer.verifier.archive import Record
from mcp_multiplayer.verifier.compare import opens
from mcp_multiplayer.verifier.executor import Executor
from mcp_multiplayer.verifier.findings import Findings, Violation
from mcp_multiplayer.verifier.logged_command import Step
from mcp_multiplayer.verifier.parse_log import Line, Log
from mcp_multiplayer.verifier.reexecute import Reexecution

#: Seats, clocks and the like that the states after all entries may hold together.
MAX_HELD = 64_000_000
_NOT_DRAINED = (Run, Runtime, Key, Restored)


@dataclass(frozen=True)
class Draw:
    """Blocks of dice that one run took."""

    entry: int
    on: int
    bot: Bot
    count: int
    overdue: bool = False  #: its seed could have come out before it


_FORMAT = re.compile(r"mpx-log/[0-9]{1,4}")


@dataclass
class Walked:
    """What became of a log."""

    channel: Channel = field(default_factory=Channel)
    channels: list[Channel] = field(default_factory=list)  #: after each entry
    draws: list[Draw] = field(default_factory=list)
    seated_at_start: tuple[Slot, ...] = ()
    opened: list[int] = field(default_factory=list)  #: entries in which a commitment was opened
    aborted: list[int] = field(default_factory=list)
    aged: dict[int, int] = field(
        default_factory=dict
    )  #: attach -> reveal that no end had asked for
    members: dict[str, int | None] = field(default_factory=dict)  #: label -> entry of leaving
    said: dict[str, list[Message]] = field(default_factory=dict)
    last_run: int = -1
    last_said: int = -1
    whole: bool = False  #: to the end, nothing refused
    bench: Reexecution | None = None


@dataclass
class Walk:
    """One walk through ``log``."""

    log: Log
    record: Record
    findings: Findings
    executor: Executor | None
    events: list[Event | None] = field(default_factory=list)
    walked: Walked = field(default_factory=Walked)
    until: float = math.inf  #: on the monotonic clock
    _held: int = 0

    def read(self) -> None:
        """Every entry by itself: its fields, each of the right form."""
        said = (self.log.lines[0].entry or {}).get("v")
        if isinstance(said, str) and _FORMAT.fullmatch(said) and said != VERSION:
            raise Violation("I_FORMAT", f"this is {said}, and this verifier reads {VERSION}", 0)
        for line in self.log.lines:
            if line.entry is None:
                self.events.append(None)
                continue
            try:
                self.events.append(strict_reader.read(line.entry))
            except strict_reader.BadEntry as error:
                raise Violation(error.code, str(error), line.index) from None

    def go(self) -> Walked:
        """Walk to the end, or to the first step that cannot be judged."""
        walked = self.walked
        context = rules_check.Context(rules_check.names([*self._known()]))
        walked.bench = Reexecution(
            self.record,
            self.findings,
            self.executor,
            self._seeds(),
            self._disclosed(),
            self._blinding(),
            self._unsteady(),
            erased=self._erased(),
        )
        context.erased = frozenset(line.index for line in self.log.lines if line.erased)
        for step in self.log.steps:
            if any(line.entry is None for line in step):
                text = "an entry is missing, and no erase entry says what is left of it: from here "
                text += "on the room's state is not known"
                self.findings.add("I_MISSING", text, step[0].index)
                return walked
            if time.monotonic() > self.until:
                for code in ("I_SLOW", "I_BROKEN"):
                    self.findings.add(
                        code, "time was up: from here on nothing was checked", step[0].index
                    )
                return walked
            self._step(step, context, walked.bench)
        walked.bench.drain()
        self._check_openings()
        walked.whole = True
        return walked

    def _known(self) -> list[tuple[int, Event]]:
        return [(index, event) for index, event in enumerate(self.events) if event is not None]

    def _step(
        self, lines: list[Line] | Any, context: rules_check.Context, bench: Reexecution
    ) -> None:
        first = lines[0].index
        happened = [event for event in self.events[first : first + len(lines)] if event is not None]
        before = self.log.lines[first - 1].ts if first else 0
        step = Step(first, happened, lines[0].ts, before, self.log.next_ts(first))
        head = happened[0]
        if isinstance(head, Run):
            self._check_place(head, first)
            bench.heard(head, first)
        elif not isinstance(head, _NOT_DRAINED):
            bench.drain()
        context.pending = bench.pending
        state = self.walked.channel
        rules_check.chores(state, step, context, self.log.root)
        rules_check.check(state, step, context)
        for line, event in zip(lines, happened, strict=True):
            self._fold(line, event, bench)
            if isinstance(event, Msg) and "to" in event.m:
                context.whispers.append(
                    rules_check.Whisper(line.index, tuple(event.m["to"]), event.m["d"])
                )
            if isinstance(event, Erase):
                self._check_left(event, line.index)
                context.forget(event.entry)
        rules_check.after(state, self.walked.channel, step)

    def _check_left(self, event: Erase, index: int) -> None:
        """Whoever has the entry whole sees whether it is that without its words; of one that is
        erased, nothing else may be said to be left later on."""
        line, erased = self.log.lines[event.entry], self.events[event.entry]
        if line.entry is None or erased is None:
            return
        if canonical(erasure.left(line.entry, erased)) != canonical(event.left):
            text = f"what it says is left of entry {event.entry} is not what stands there"
            raise Violation("E_ERASE", text, index)

    def _check_place(self, run: Run, index: int) -> None:
        """That a run names an entry before it; when, is the referees' to judge."""
        if not run.at <= run.on < index or not isinstance(self.events[run.at], Attach):
            raise Violation("E_RUN_EXTRA", "it answers no entry before it", index)

    def _fold(self, line: Line, event: Event, bench: Reexecution) -> None:
        walked, before = self.walked, self.walked.channel
        ts = self.log.lines[event.on].ts if isinstance(event, Run) else line.ts
        channel = evolve(before, event, Place(line.index, ts, len(line.data)))
        leaf = Leaf(line.index, ts, channel.messages, line.hash, line.data)
        placed = placed_step(channel, event, leaf)
        self._note(before, channel, event, line.index)
        walked.channel = channel
        walked.channels.append(channel)
        self._held += len(channel.slots) + len(channel.bots) + len(channel.timers)
        if self._held > MAX_HELD:
            text = "more than this verifier takes: too many seats and clocks for so many entries"
            raise Violation("I_TOO_LARGE", text, line.index)
        for message in placed.messages:
            if isinstance(event, Msg):
                walked.said.setdefault(message.sender, []).append(bench.opened(message))
            self._check_opening(message)
        bench.place(placed)

    def _note(self, before: Channel, after: Channel, event: Event, index: int) -> None:
        walked = self.walked
        if before.started is None and after.started is not None:
            walked.seated_at_start = after.seated
        match event:
            case Join(slot) | Leave(slot):
                if after.slot(slot).plays:  # what a spectator saw settles nothing
                    walked.members[after.label(slot)] = None if isinstance(event, Join) else index
            case Open():
                walked.opened.append(index)
            case events.Abort():
                walked.aborted.append(index)
            case Msg():
                walked.last_said = index
            case Reveal(_, at) if self._stands_alone(index):
                walked.aged.setdefault(at, index)
            case Run(rng=[_, _, count]):
                walked.last_run = index
                bot = before.bot(event.bot)
                if count and bot is not None:
                    due = before.reveals(bot)
                    overdue = due is not None and due <= self.log.lines[event.on].ts
                    walked.draws.append(Draw(index, event.on, bot, count, overdue))

    def _stands_alone(self, index: int) -> bool:
        """True for a reveal of a step in which nothing else happens: a clock brought it about."""
        step = self.log.steps[self.log.step_of[index]]
        return all(isinstance(self.events[line.index], Disclose | Reveal) for line in step)

    # --- what comes out later --------------------------------------------------------------

    def _unsteady(self) -> set[int]:
        """The attaches of bots that the server somewhere says are not deterministic."""
        runs = [event for _, event in self._known() if isinstance(event, Run)]
        return {run.at for run in runs if "NonDeterministic" in run.res}

    def _erased(self) -> frozenset[int]:
        """Entries whose words cannot be had any more: erased here, or private and erased before
        they were opened, or in the opening."""
        found = {line.index for line in self.log.lines if line.erased}
        for index, event in self._known():
            if isinstance(event, Erase):
                said = self.events[event.entry] if event.entry < index else None
                if isinstance(said, Msg) and "to" in said.m:
                    found.add(event.entry)
            elif isinstance(event, Disclose) and self.log.lines[index].erased:
                found.add(event.entry)
        return frozenset(found)

    def _disclosed(self) -> Mapping[int, Any]:
        """Private bodies that the log opens, by the entry that sealed them."""
        found: dict[int, Any] = {}
        for _, event in self._known():
            if isinstance(event, Disclose) and event.entry < len(self.events):
                said = self.events[event.entry]
                if isinstance(said, Msg) and said.m.get("d") == invite_codes.seal(
                    event.salt, event.body
                ):
                    found[event.entry] = event.body
        return found

    def _blinding(self) -> dict[tuple[int, int], bytes]:
        """What blinded the states of bots that kept what they heard, where that was opened."""
        found: dict[tuple[int, int], bytes] = {}
        times: Counter[int] = Counter()
        for _, event in self._known():
            if isinstance(event, Unseal) and event.key is not None:
                found[event.at, times[event.at]] = base64.urlsafe_b64decode(event.key + "=")
                times[event.at] += 1
        return found

    def _seeds(self) -> dict[tuple[int, int], bytes]:
        """Every seed that is out and is the one that was committed to."""
        found: dict[tuple[int, int], bytes] = {}
        nth: dict[int, str] = {}
        origin = ""
        for index, event in self._known():
            if isinstance(event, Genesis):
                origin = event.origin
            if isinstance(event, Attach):
                nth[index] = seeds.bot_name(event.bot, len(nth) + 1)
            if isinstance(event, Reveal):
                seed = base64.urlsafe_b64decode(event.seed + "=")
                attach = self.events[event.at] if event.at < len(self.events) else None
                if self._is_committed(event, attach, seed, found, (origin, nth.get(event.at, ""))):
                    found[event.at, event.epoch] = seed
                else:
                    text = "this seed is not the one that was committed to"
                    self.findings.add("E_SEED", text, index)
        return found

    def _is_committed(
        self,
        event: Reveal,
        attach: Event | None,
        seed: bytes,
        found: Mapping[tuple[int, int], bytes],
        named: tuple[str, str],
    ) -> bool:
        if not isinstance(attach, Attach) or attach.bot != event.bot:
            return False
        if event.epoch == 0:
            return seeds.commit_seed(*named, 0, seed) == attach.commit
        earlier = found.get((event.at, event.epoch - 1))
        return earlier is not None and seeds.follows(earlier, seed)

    def _check_opening(self, message: Message) -> None:
        opening = self.record.openings.get(message.id)
        if opening is not None and (message.to is None or not opens(opening, message.body)):
            text = f"openings.jsonl opens message {message.id} with something else than was sealed"
            self.findings.add("E_OPENING", text, message.entry)

    def _check_openings(self) -> None:
        if any(not 0 < number <= self.walked.channel.messages for number in self.record.openings):
            self.findings.add("E_OPENING", "openings.jsonl opens a message that does not exist")
