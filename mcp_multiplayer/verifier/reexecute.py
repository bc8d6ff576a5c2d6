"""Executes every hook that was due, and holds what comes of it against the log. On the other side
is a server that skips a hook, invents one, or writes another result than the announced source has.
What cannot be executed or compared is said, and what depends on it is not judged: a referee whose
state is unknown is accused of nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

from mcp_multiplayer.channel import decide, erasure, events, view
from mcp_multiplayer.channel.commands import Ran
from mcp_multiplayer.channel.events import Attach, Run
from mcp_multiplayer.channel.model import Bot
from mcp_multiplayer.sandbox.call import Effect, Failed, SourceReport
from mcp_multiplayer.sandbox.runtime import runtime
from mcp_multiplayer.service import hook_io, hooks
from mcp_multiplayer.service.hooks import Due
from mcp_multiplayer.service.replica import NOTHING, Memory, Replica
from mcp_multiplayer.service.replica import Step as Placed
from mcp_multiplayer.storage.base import Store
from mcp_multiplayer.transcript import seeds
from mcp_multiplayer.transcript.canonical_json import Canonical
from mcp_multiplayer.verifier import compare
from mcp_multiplayer.verifier.archive import Record
from mcp_multiplayer.verifier.compare import Recorded
from mcp_multiplayer.verifier.executor import Ask, Executor, Known, Tally, Unknown
from mcp_multiplayer.verifier.findings import Findings

NO_SEED = bytes(32)
#: A hook that the clock, memory or a fault ended, here or on the server. Ticks are part of the
#: rules, and are counted alike everywhere; these are not.
LIMIT = "I_LIMIT"
Asked = TypeVar("Asked")


@dataclass
class Reexecution:
    """All referees of a room, while its log is walked through. ``executor`` None: nothing is
    executed. ``disclosed`` are private bodies by entry, ``known_seeds`` by attach and epoch,
    ``blinding`` the keys of bots that kept what they heard by attach and how often it had been
    opened before, ``unsteady`` the attaches of bots that the log somewhere calls NonDeterministic.
    """

    record: Record
    findings: Findings
    executor: Executor | None
    known_seeds: Mapping[tuple[int, int], bytes]
    disclosed: Mapping[int, Any]
    blinding: Mapping[tuple[int, int], bytes] = field(default_factory=dict)
    unsteady: Container[int] = ()
    erased: Container[int] = ()  #: entries of which the words are gone
    room: Replica = field(init=False)
    tally: Tally = field(default_factory=Tally)
    _spent: Unknown | None = None
    _emptied: Run | None = None  #: the run at hand, where its words were erased
    unjudged: set[int] = field(default_factory=set)  #: bots of which not every hook was compared
    _lost: dict[int, Unknown] = field(default_factory=dict)  #: bots whose state is not known
    #: the last st under one key
    _blinded: dict[tuple[int, int, int], str] = field(default_factory=dict)
    #: on_join hooks that are taken to have been silent, because a run fits a later one
    _assumed: list[tuple[Due, Known]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.room = Replica(cast(Store, None), "")

    @property
    def pending(self) -> bool:
        return hooks.due(self.room) is not None

    def place(self, placed: Placed) -> None:
        """The log has gone one entry further."""
        if not self.room.channel_id:
            self.room.channel_id = placed.channel.origin.rpartition("/")[2]
        self.room.unsettled.append(placed)
        self.room.channel = placed.channel
        if isinstance(placed.event, Attach):
            self._look_at(placed.event, placed.entry)

    def _look_at(self, event: Attach, entry: int) -> None:
        """That the source is here, and is what the entry says of it."""
        source = self.record.source(event.code_hash)
        if source is None:
            self.findings.add("E_BLOB", f"the source {event.code_hash} is not in the file", entry)
            self._lose(entry, Unknown("I_NO_REPLAY", "its source is missing"))
            return
        if self.executor is None:  # whether these are its hooks is not known either
            why = Unknown("I_NO_EXEC", "nothing was executed (--no-exec)")
            self.findings.once(why.code, f"{entry}", f"bot {event.bot}: {why.text}", entry)
            self.unjudged.add(entry)
            return
        library = self._library(event)
        if library is None:
            self.findings.add("E_BLOB", f"the library {event.library} is not in the file", entry)
            self._lose(entry, Unknown("I_NO_REPLAY", "its library is missing"))
            return
        report = self._report(event, source, library)
        if isinstance(report, Unknown):
            # Said at once: no hook may ever be due to a referee whose hooks are not known.
            self.findings.once(report.code, f"{entry}", f"bot {event.bot}: {report.text}", entry)
            self._lose(entry, report)
        elif isinstance(report, str):
            self.findings.add("E_SOURCE", f"its source cannot be a referee: {report[:200]}", entry)
            self._lose(entry, Unknown("I_NO_REPLAY", "its source is none"))
        elif tuple(event.hooks) != report.hooks:
            named = ", ".join(report.hooks) or "none"
            self.findings.add("E_HOOKS", f"the hooks of its source are {named}", entry)
            self._lose(entry, Unknown("I_NO_REPLAY", "its hooks are not those of its source"))
        elif report.library != (event.library is not None):
            self.findings.add("E_SOURCE", "its source imports no library", entry)
        elif not _announced(event, report):
            self.findings.add("E_REACH", "its source reaches for something else", entry)

    def _library(self, bot: Attach | Bot) -> str | None:
        """What its source imports as `referee`, "" for nothing; None when it is not in the file.
        Never the one of this tree: a later release may have another."""
        return "" if bot.library is None else self.record.source(bot.library)

    def _report(self, event: Attach, source: str, library: str) -> SourceReport | str | Unknown:
        """What its source is, if that is known well enough to hold it against the entry."""
        report = self._asked(lambda executor: executor.inspect(source, library))
        if report is None:
            return Unknown("I_TIME", "its source could not be read here")
        if isinstance(report, Unknown) or _announced(event, report):
            return report
        if event.runtime != runtime():  # what a source is depends on what reads it
            text = f"{event.runtime} finds something else in its source than {runtime()}"
            return Unknown("I_RUNTIME", text)
        for other in self._others():
            if other.inspect(source, library) != report:
                return Unknown("I_NONDETERMINISTIC", "its source is not always read alike")
        return self._spent or report

    # --- what is due -------------------------------------------------------------------------

    def drain(self) -> None:
        """Nothing more stands in the log for what is due: it must come to nothing."""
        if self.room.channel.status == "closed":
            self.room.unsettled.clear()
        while (due := hooks.due(self.room)) is not None:
            self._unheard(due, self._judged(due, None))

    def heard(self, event: Run, entry: int) -> None:
        """The log has a run here. Find what it belongs to; all that was due before is silent."""
        self.tally.runs += 1
        self._emptied = event if entry in self.erased else None
        if event.fx:
            self.tally.fetched.append(entry)
        while (due := hooks.due(self.room)) is not None:
            if (due.bot.id, due.bot.at, due.hook, due.step.entry) != (
                *(event.bot, event.at, event.hook),
                event.on,
            ):
                self._unheard(due, self._judged(due, None))
                continue
            if self._comes_again(due):  # this run may be the next one's: is there any of this?
                outcome = self._outcome(due, None)
                if isinstance(outcome, Known) and outcome.silent:
                    self._assumed.append((due, outcome))
                    self._unheard(due, outcome)
                    continue
            self._compare(due, self._judged(due, event), event, entry)
            return
        self._not_due(event, entry)

    def _not_due(self, event: Run, entry: int) -> None:
        """A run that belongs to nothing: invented, or to a hook that was silent here."""
        assumed = [one for one in self._assumed if _place(one[0]) == (event.at, event.on)]
        why = self._excuse(assumed[-1][0], event, assumed[-1][1]) if assumed else None
        if why is not None:
            self._say(assumed[-1][0], why)
            self._lose(event.at, replace(why, text="its state is not known any more"))
            return
        self.findings.add(
            "E_RUN_EXTRA", f"{event.hook} of bot {event.bot} was not due to entry {event.on}", entry
        )
        self._lose(event.at, Unknown("I_UNKNOWN_STATE", "a run of it was invented"))

    def _comes_again(self, due: Due) -> bool:
        """on_join is called for everybody seated when a referee comes late."""
        return due.hook == "on_join" and isinstance(due.step.event, Attach)

    def _unheard(self, due: Due, outcome: Known | Unknown) -> None:
        state = self._state(due.bot)
        if isinstance(outcome, Unknown):
            self._say(due, outcome)
        elif outcome.silent:
            self.tally.silent += 1
        else:
            self.findings.add(
                "E_RUN_SKIPPED",
                f"{due.hook} of bot {due.bot.id} is due to entry {due.step.entry} and not silent",
                due.step.entry,
                expected=events.write(outcome.result.command.run),
            )
            self._lose(due.bot.at, Unknown("I_UNKNOWN_STATE", "a run of it is missing"))
        self._go_on(due, state)

    def _go_on(self, due: Due, state: Canonical) -> None:
        self.room.memories[due.bot.at] = Memory(state, due.step.entry, due.number + 1)

    def _state(self, bot: Bot) -> Canonical:
        memory = self.room.memories.get(bot.at)
        return NOTHING if memory is None else memory.state

    def _lose(self, at: int, why: Unknown) -> None:
        self.unjudged.add(at)
        self._lost.setdefault(at, why)

    def _say(self, due: Due, why: Unknown) -> None:
        self.unjudged.add(due.bot.at)
        text = f"{due.hook} of bot {due.bot.id} on entry {due.step.entry}: {why.text}"
        self.findings.once(why.code, f"{due.bot.at}", text, due.step.entry)

    # --- executing ---------------------------------------------------------------------------

    def _judged(self, due: Due, event: Run | None) -> Known | Unknown:
        """As `_outcome`; what does not fit the log accuses nobody unless the log was made on this
        very runtime, and the hook comes to the same however often it is executed."""
        outcome = self._outcome(due, event)
        if _accuses(outcome, event):
            return self._excuse(due, event, outcome) or outcome
        return outcome

    def _excuse(self, due: Due, event: Run | None, outcome: Known | Unknown) -> Unknown | None:
        there = self.room.channel.runtime
        if there != runtime():
            return Unknown("I_RUNTIME", f"it ran on {there}, this is {runtime()}, and they differ")
        if due.bot.at in self.unsteady:
            return Unknown("I_NONDETERMINISTIC", "the server says that it is not deterministic")
        assumed = [one for one in self._assumed if _place(one[0]) == _place(due)]
        agreed = tried = 0
        for other in self._others():
            tried += 1
            again = self._outcome(due, event, other)
            if self._spent is not None:
                break
            if _unfinished(again):
                continue
            agreed += 1
            if not _accuses(again, event) or not _alike(again, outcome):
                return Unknown("I_NONDETERMINISTIC", "it does not always do the same here either")
            if not all(_alike(self._outcome(one, None, other), was) for one, was in assumed):
                return Unknown("I_NONDETERMINISTIC", "whether it is silent is not always the same")
        if 4 * agreed < 3 * tried or not tried:  # too few to say that it is always so
            return self._spent or Unknown("I_TIME", "it could not be executed again here")
        return self._spent

    def _others(self) -> Iterator[Executor]:
        """Where to do something again, until there is no time left."""
        from mcp_multiplayer.verifier.replay import CannotReplay, OutOfTime

        assert self.executor is not None
        try:
            yield from self.executor.others()
        except OutOfTime as error:
            self._spent = Unknown("I_TIME", str(error))
        except CannotReplay as error:
            self._spent = Unknown(error.code, str(error))

    def _outcome(
        self, due: Due, event: Run | None, where: Executor | None = None
    ) -> Known | Unknown:
        """Execute what is due; ``event`` is what the log says came of it. ``where``: there, to
        see whether it comes to the same."""
        why = self._lost.get(due.bot.at)
        if why is not None:
            return why
        shown = self._heard(due)
        if isinstance(shown, Unknown):
            return shown
        if event is not None and event.res.startswith("killed:"):
            return Unknown(LIMIT, f"the server ended it ({event.res}); that cannot be repeated")
        tape = self._tape(due, event)
        if isinstance(tape, Unknown):
            return tape
        if self.executor is None:
            return Unknown("I_NO_EXEC", "nothing was executed (--no-exec)")
        known = self._execute(due, event, shown, lambda one, call: (where or one).run(call, tape))
        if isinstance(known, Known) and where is None:
            self.tally.executed += 1
        return known

    def _execute(
        self, due: Due, event: Run | None, shown: view.Message | None, ask: Ask
    ) -> Known | Unknown:
        channel, state = self.room.channel, self._state(due.bot)
        seed = self.known_seeds.get((due.bot.at, due.bot.dice.epoch))
        epoch = self._epoch(due, seed or NO_SEED)
        source = self.record.source(due.bot.code_hash) or ""
        call = hook_io.hook_call(
            self.room.channel_id,
            due,
            shown,
            source=source,
            library=self._library(due.bot) or "",
            state=state.value,
            epoch=epoch,
        )
        result = self._asked(lambda executor: ask(executor, call))
        if isinstance(result, Unknown):
            return result
        if isinstance(result, Failed) and result.killed:
            return Unknown(LIMIT, f"it could not be finished here ({result.error})")
        if seed is None and result.draws:
            if event is not None and event.res == "ok" and not compare.drew(event):
                return Unknown("E_RUN_RNG", "it draws, and the log says that it did not")
            return Unknown("I_SEED", "it drew from a seed that is not out")
        if (
            seed is None
            and compare.asks_otherwise(result)
            and event
            and (event.res != "ok" or compare.drew(event))
        ):
            return Unknown("I_SEED", "what it asked may depend on a seed that is not out")
        made = self._decided(hook_io.ran(channel, due, result, state, epoch=epoch))
        if event is not None and event is self._emptied and not made.command.silent:
            words = erasure.emptied(made.command.run)
            assert isinstance(words, Run)
            made = replace(made, command=Ran(words, silent=False))
        return Known(made, sealed=seed is None or self._kept(due.bot))

    def _kept(self, bot: Bot) -> bool:
        """True when what blinds its states is not known."""
        return bot.keeps_sealed and (bot.at, bot.kept.nth) not in self.blinding

    def _epoch(self, due: Due, seed: bytes) -> hook_io.Epoch:
        blinding = self.blinding.get((due.bot.at, due.bot.kept.nth))
        place = (self.room.channel, due.bot, due.step.entry)
        return hook_io.Epoch.of(seed, *place, blinding=blinding)

    def _asked(self, ask: Callable[[Executor], Asked]) -> Asked | Unknown:
        """What the executor answers. When it has no time or no process left, it is not asked
        again."""
        from mcp_multiplayer.verifier.replay import CannotReplay, OutOfTime

        assert self.executor is not None
        try:
            return self._spent or ask(self.executor)
        except OutOfTime as error:
            self._spent = Unknown("I_TIME", str(error))
        except CannotReplay as error:
            self._spent = Unknown(error.code, str(error))
        return self._spent

    def _decided(self, made: hook_io.Result) -> hook_io.Result:
        """What the rules make of a result: they may refuse all of it."""
        happened = decide.decide(self.room.channel, made.command)
        if not happened:
            return replace(made, command=replace(made.command, silent=True))
        run = happened[0]
        assert isinstance(run, Run)
        if run == made.command.run:
            return made
        return hook_io.Result(Ran(run, silent=False))

    def opened(self, message: view.Message) -> view.Message:
        """The message with its private body, if that is known here."""
        if message.to is None:
            return message
        if message.entry in self.disclosed:
            return replace(message, body=self.disclosed[message.entry])
        mine = self.record.openings.get(message.id)
        if mine is not None and compare.opens(mine, message.body):
            return replace(message, body=mine[""][1])
        return message

    def _heard(self, due: Due) -> view.Message | Unknown | None:
        """The message that the hook is told, opened; None for other hooks."""
        if due.hook != "on_message":
            return None
        message: view.Message = due.args[0]
        shown = self.opened(message)
        if message.entry in self.erased and shown is message:
            return Unknown("I_ERASED", "it heard words that were erased")
        if message.to is None or shown is not message:
            return shown
        if due.bot.keeps_sealed:
            text = "it heard words that stay closed until all concerned agree to open them"
            return Unknown("I_PRIVATE_KEPT", text)
        return Unknown("I_PRIVATE", "it heard private words that are not opened yet")

    def _tape(self, due: Due, event: Run | None) -> list[Effect] | Unknown:
        found: list[Effect] = []
        for asked in (event.fx or ()) if event else ():
            blob = self.record.blob(compare.hex(asked["r"]))
            if blob is None and (due.bot.at, due.bot.dice.epoch) not in self.known_seeds:
                return Unknown("I_SEED", "what the network told it comes out with its seed")
            if blob is None:
                text = "an answer of the network is not in the file"
                self.findings.once("E_BLOB", asked["r"], text, event.on if event else None)
                return Unknown("I_NO_REPLAY", text)
            found.append(Recorded(asked["k"], b"", blob, asked["q"]))
        return found

    # --- comparing ---------------------------------------------------------------------------

    def _compare(self, due: Due, outcome: Known | Unknown, event: Run, entry: int) -> None:
        state = self._state(due.bot)
        receipt = self._check_receipt(due, event)
        wrong = receipt or compare.feigned(due, event)
        if isinstance(outcome, Known) and not wrong:
            made = outcome.result
            if made.command.silent:
                wrong = "E_RUN_EXTRA"
            else:
                wrong = compare.difference(made.command.run, event, sealed=outcome.sealed)
            # Also where it ends so here: for want of an answer, which is the server's to record.
            if (wrong or made.command.run.line is None) and "NonDeterministic" in event.res:
                outcome, wrong = (
                    Unknown(
                        "I_NONDETERMINISTIC",
                        "the server says that it does not always do the same",
                    ),
                    "",
                )
            elif not wrong and event.res == "ok":
                state = state if made.state is None else made.state
                self._look_into(due.bot, event, entry, sealed=outcome.sealed)
        if isinstance(outcome, Unknown) and not wrong:
            self._say(due, outcome)
            if event.st[0] != event.st[1]:
                self._lose(due.bot.at, replace(outcome, text="its state is not known any more"))
        if wrong:
            expected = (
                events.write(outcome.result.command.run) if isinstance(outcome, Known) else None
            )
            text = f"{event.hook} of bot {event.bot} on entry {event.on}: {compare.what(wrong)}"
            self.findings.add(wrong, text, entry, expected=expected)
        if wrong:
            self._lose(due.bot.at, Unknown("I_UNKNOWN_STATE", "an earlier run of it differs"))
        self._blinded[_blinder(due.bot)] = event.st[1]
        self._go_on(due, state)

    def _look_into(self, bot: Bot, event: Run, entry: int, *, sealed: bool) -> None:
        """Without the key nobody can tell what digests are of."""
        if sealed and any("to" in said for said in event.out):
            code = "I_PRIVATE_KEPT" if self._kept(bot) else "I_SEED"
            why = "it keeps that closed" if self._kept(bot) else "its seed is not out"
            text = f"what bot {event.bot} said in private cannot be compared: {why}"
            self.findings.once(code, f"private {event.at}", text, entry)

    def _check_receipt(self, due: Due, event: Run) -> str:
        """What can be held against the log whether the hook was executed or not."""
        if event.now != due.step.ts:
            return "E_RUN_NOW"
        if event.rng[1] != due.bot.dice.drawn:
            return "E_RUN_RNG"
        before = self._blinded.get(_blinder(due.bot))
        if before is not None and before != event.st[0]:
            return "E_RUN_STATE"
        seed = self.known_seeds.get((due.bot.at, due.bot.dice.epoch))
        if seed is None:
            return ""
        epoch = self._epoch(due, seed)
        if event.rng[0] != seeds.kid(epoch.key):
            return "E_RUN_RNG"
        lost = due.bot.at in self._lost or self._kept(due.bot)
        if not lost and event.st[0] != seeds.blind(epoch.state, self._state(due.bot)):
            return "E_RUN_STATE"
        return ""


def _blinder(bot: Bot) -> tuple[int, int, int]:
    """Which key blinds its states."""
    return bot.at, bot.dice.epoch, bot.kept.nth


def _place(due: Due) -> tuple[int, int]:
    """Whose hook it is, and on which entry."""
    return due.bot.at, due.step.entry


def _announced(event: Attach, report: SourceReport | str) -> bool:
    """True when a source is what its attach says."""
    if isinstance(report, str):
        return False
    reach = {"network": report.network, "dice": report.dice}
    said = tuple(event.hooks), dict(event.reach), event.library is not None
    return said == (report.hooks, reach, report.library)


def _accuses(outcome: Known | Unknown, event: Run | None) -> bool:
    """True for what would be a violation if there is nothing to excuse it."""
    if event is not None and "NonDeterministic" in event.res:
        return False
    if isinstance(outcome, Unknown):
        return outcome.code.startswith("E_")
    return not compare.fits(outcome.result, outcome.sealed, event)


def _alike(one: Known | Unknown, other: Known | Unknown) -> bool:
    if isinstance(one, Unknown) or isinstance(other, Unknown):
        return one == other
    return compare.alike(one.result, other.result)


def _unfinished(outcome: Known | Unknown) -> bool:
    """Ended here by time or memory, which says nothing."""
    return isinstance(outcome, Unknown) and outcome.code == LIMIT
