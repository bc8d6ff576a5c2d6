"""What a run in the log and a run that was made again differ in.

Compared as canonical bytes, so that nothing that Python takes for equal passes for the same.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mcp_multiplayer.channel import events, invite_codes
from mcp_multiplayer.channel.events import Run
from mcp_multiplayer.sandbox.call import Effect, Failed, HookResult
from mcp_multiplayer.service.hook_io import Result
from mcp_multiplayer.service.hooks import Due
from mcp_multiplayer.transcript.canonical_json import canonical


@dataclass(frozen=True)
class Recorded(Effect):
    """An effect of which the log has only the question's hash."""

    asked: str = ""

    @property
    def q(self) -> str:
        return self.asked


_CODES = {
    "now": "E_RUN_NOW",
    "st": "E_RUN_STATE",
    "rng": "E_RUN_RNG",
    "fx": "E_RUN_FX",
    "res": "E_RUN_RES",
    "line": "E_RUN_RES",
}


def fits(made: Result, sealed: bool, logged: Run | None) -> bool:
    """True when this is what the log says of a hook; no entry: that it was silent."""
    if made.command.silent or logged is None:
        return made.command.silent and logged is None
    return not difference(made.command.run, logged, sealed=sealed)


def alike(one: Result, other: Result) -> bool:
    """True when two executions of a hook came to the same."""
    if one.command.silent != other.command.silent:
        return False
    return canonical([_whole(one)]) == canonical([_whole(other)])


def _whole(made: Result) -> dict[str, Any]:
    state = None if made.state is None else made.state.value
    return {"run": events.write(made.command.run), "state": state}


def drew(run: Run) -> bool:
    return bool(run.rng[2] > 0)


def opens(opening: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
    """True when this opening is what the digests of a message's body were made of."""
    if "" in opening:
        salt, value = opening[""]
        return len(opening) == 1 and body == {"sealed": invite_codes.seal(salt, value)}
    made = [invite_codes.seal_value(salt, name, value) for name, (salt, value) in opening.items()]
    return bool(made) and sorted(made) == body.get("_sd")


def hex(digest: str) -> str:
    return base64.urlsafe_b64decode(digest + "=").hex()


def difference(made: Run, logged: Run, *, sealed: bool) -> str:
    """The code of the first field that differs, or nothing."""
    expected, found = events.write(made), events.write(logged)
    if sealed:
        expected, found = _unsealed(expected), _unsealed(found)
    if (expected["res"], found["res"]) == ("error:NonDeterministic", "ok"):
        return "E_RUN_FX"  # it asks for something else than the log has answers to
    order = ("now", "res", "line", "fx", "out", "turn", "end", "timers", "rng", "st")
    for name in (*order, *sorted(expected.keys() | found.keys())):
        if _bytes(expected, name) != _bytes(found, name):
            return _CODES.get(name, "E_RUN_OUT")
    return ""


def _bytes(run: Mapping[str, Any], name: str) -> bytes:
    """As bytes: True and 1 are one to Python."""
    return canonical(run[name]) if name in run else b""


def _unsealed(run: dict[str, Any]) -> dict[str, Any]:
    """What of a run does not depend on its seed: that a state changed, but not into what."""
    out = []
    for item in run["out"]:
        if "d" in item:
            item = {**item, "d": ""}
        elif "to" in item and "_sd" in item["b"]:
            item = {**item, "b": {**item["b"], "_sd": len(item["b"]["_sd"])}}
        out.append(item)
    return {**run, "out": out, "st": run["st"][0] == run["st"][1], "rng": run["rng"][1:]}


def what(code: str) -> str:
    return {
        "E_RUN_NOW": "its clock is not the time of that entry",
        "E_RUN_STATE": "another state than re-execution has",
        "E_RUN_RNG": "other dice, or another number of draws, than re-execution has",
        "E_RUN_FX": "other questions to the network than re-execution asks",
        "E_RUN_RES": "it ended otherwise in re-execution",
        "E_RUN_OUT": "it says or does something else in re-execution",
        "E_RUN_EXTRA": "it says and does nothing in re-execution",
    }[code]


def feigned(due: Due, run: Run) -> str:
    """The code of answers that a referee without a way out cannot have had: nothing from outside
    excuses what it did."""
    return "E_RUN_FX" if run.fx and not due.bot.reach.get("network") else ""


def asks_otherwise(result: HookResult) -> bool:
    """Ended at a question that is not the recorded one; how much it drew before is not known."""
    return isinstance(result, Failed) and result.error == "NonDeterministic"
