"""The two messages of a worker, with types.

Runs in the host. On the other side is a worker that may have fallen to its bot: every
field is checked here as if an enemy had written it, against the call and the limits,
and anything else is `Broken` (tests/attacks/test_bot_frames.py).
"""

from __future__ import annotations

import json
from typing import Any

from mcp_multiplayer.sandbox.call import (
    MOST_CODE,
    MOST_MANIFEST,
    Compiled,
    Failed,
    Finished,
    HookCall,
    HookResult,
    Limits,
    Said,
    SourceReport,
    Turn,
)
from mcp_multiplayer.sandbox.protocol.values import (
    AROUND,
    LONGEST,
    TIMERS,
    BadValue,
    plain,
    read,
    size,
)
from mcp_multiplayer.transcript.names import HOOKS, KIND

TEXT = 1 << 14


class Broken(Exception):
    """A worker's answer is not one that our own code would have sent."""


def hook_request(call: HookCall, compiled: Compiled, limits: Limits) -> bytes:
    """What a worker is told for one hook; ``compiled.code`` follows in a frame of its own, then the
    code of the library, where the source has one."""
    told = {  # the values are brought into their form by the worker, where they are used
        "source": call.source,  # its lines are shown to its author
        "class_name": compiled.report.class_name,
        "network": compiled.report.network,
        "library": compiled.report.library,
        "hook": call.hook,
        "args": list(call.args),
        "params": dict(call.params),
        "state": dict(call.state),
        "players": list(call.players),
        "now": call.now,
        "bot_id": call.bot_id,  # and not its key: the dice stay with the host
    }
    return _encoded({"do": "hook", "call": told, "limits": vars(limits)})


def compile_request(source: str, library: str = "") -> bytes:
    """What a worker is told to read a source, with the text that it imports as `referee`."""
    return _encoded({"do": "compile", "source": source, "library": library})


def library_request(library: str) -> bytes:
    """What a worker is told to read that text itself."""
    return _encoded({"do": "library", "source": library})


def _encoded(request: dict[str, Any]) -> bytes:
    return json.dumps(request, allow_nan=False).encode()  # ASCII: no text can make it fail


def largest_answer(limits: Limits) -> int:
    """No hook's answer of our own code is longer: control characters take six bytes in JSON."""
    return limits.output + limits.state + 6 * limits.prints + 8 * TEXT


#: Nor is what is said of a source: a manifest, and why it is refused.
LARGEST_COMPILED = 2 * MOST_MANIFEST + 8 * TEXT


def hook_result(data: bytes, call: HookCall, limits: Limits) -> HookResult:
    """The result in a worker's answer, or Broken."""
    try:
        said = plain(read(data), "answer", -AROUND)
        _check(len(said) == 1, "answer")  # how much it drew is not for it to say
        if "failed" in said:
            return _failed(said["failed"], limits)
        return _finished(said["finished"], call, limits)
    except (BadValue, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Broken(f"{type(error).__name__}: {error}") from None


def _failed(told: dict[str, Any], limits: Limits) -> Failed:
    error = _text(told["error"], 64)
    _check(error.isidentifier(), "error")
    line = told["line"]
    return Failed(
        error=error,
        killed=error in ("MemoryLimit", "WorkspaceLimit"),  # no two machines agree where these end
        line=None if line is None else _whole(line),
        text=_text(told["text"], TEXT),
        prints=_text(told["prints"], limits.prints + 100),
    )


def _finished(told: dict[str, Any], call: HookCall, limits: Limits) -> Finished:
    said, state = told["said"], told["state"]
    _check(isinstance(said, list) and len(said) <= limits.posts, "said")
    _check(sum(size(post) for post in said) <= limits.output, "said size")
    _check(state is None or isinstance(state, dict), "state")
    _check(state is None or size(state) <= limits.state, "state size")
    return Finished(
        said=tuple(_said(post, call) for post in said),
        state=state,
        turn=_turn(told["turn"], call),
        end=_end(told["end"]),
        timers=_timers(told["timers"]),
        prints=_text(told["prints"], limits.prints + 100),
    )


def _said(told: dict[str, Any], call: HookCall) -> Said:
    _check(set(told) <= {"kind", "body", "to", "private"}, "post")
    kind, body, private = _text(told["kind"], 32), told["body"], told.get("private")
    _check(KIND.fullmatch(kind) is not None, "kind")
    _check(isinstance(body, dict), "body")
    _check(private is None or isinstance(private, dict), "private")
    to = _addressees(told["to"], call) if "to" in told else None
    _check(private is None or to is not None, "private without to")
    return Said(kind=kind, body=body, to=to, private=private)


def _addressees(told: Any, call: HookCall) -> tuple[str, ...]:
    to = _names(told)
    _check(bool(to), "to")
    _check(all(name.startswith("bot:") or name in call.players for name in to), "to")
    return to


def _turn(told: dict[str, Any] | None, call: HookCall) -> Turn | None:
    if told is None:
        return None
    players, seconds = _names(told["players"]), told["seconds"]
    _check(all(name in call.players for name in players), "turn players")
    to = None if told["to"] is None else _addressees(told["to"], call)
    return Turn(players, None if seconds is None else _seconds(seconds), told["expect"], to)


def _end(told: dict[str, Any] | None) -> dict[str, Any] | None:
    if told is not None:
        _check(isinstance(told, dict), "end")
        told["winners"] = list(_names(told["winners"]))
    return told


def _timers(told: dict[str, Any]) -> dict[str, float | None]:
    _check(isinstance(told, dict) and len(told) <= TIMERS, "timers")
    _check(all(KIND.fullmatch(name) and name != "turn" for name in told), "timer name")
    return {name: None if s is None else _seconds(s) for name, s in told.items()}


def compiled(data: bytes, code: bytes) -> Compiled:
    """What a worker makes of a source, or Broken."""
    try:
        told = plain(read(data), "answer", -AROUND)
        _check(set(told) <= {"report", "rejected", "line"}, "answer")
        _check("report" in told or bool(told["rejected"]), "neither report nor rejected")
        report = _report(told["report"]) if "report" in told else SourceReport()
        _check(len(code) <= MOST_CODE, "size of code")
        _check(bool(code) == (report.class_name is not None), "code")
        line = told.get("line")
        return Compiled(
            report,
            code,
            _text(told.get("rejected", ""), TEXT),
            None if line is None else _whole(line),
        )
    except (BadValue, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Broken(f"{type(error).__name__}: {error}") from None


def _report(told: dict[str, Any]) -> SourceReport:
    hooks, name, manifest = _names(told["hooks"]), told["class_name"], told["manifest"]
    _check(all(hook in HOOKS for hook in hooks), "hooks")
    _check(name is None or (isinstance(name, str) and name.isidentifier()), "class_name")
    _check(name is not None or not hooks, "hooks of no class")
    _check(manifest is None or isinstance(manifest, dict), "manifest")
    _check(size(manifest) <= MOST_MANIFEST, "size of manifest")
    facts = told["network"], told["dice"], told.get("library", False)
    _check(all(isinstance(fact, bool) for fact in facts), "network, dice, library")
    return SourceReport(hooks, name, manifest, *facts)


def _check(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(what)


def _text(value: Any, longest: int) -> str:
    _check(isinstance(value, str) and len(value) <= longest, "text")
    return str(value)


def _whole(value: Any) -> int:
    _check(isinstance(value, int) and not isinstance(value, bool) and value >= 0, "number")
    return int(value)


def _seconds(value: Any) -> float:
    _check(isinstance(value, int | float) and not isinstance(value, bool), "seconds")
    _check(0 < value <= LONGEST, "seconds")
    return float(value)


def _names(value: Any) -> tuple[str, ...]:
    _check(isinstance(value, list) and all(isinstance(item, str) for item in value), "names")
    return tuple(value)
