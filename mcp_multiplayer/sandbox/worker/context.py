"""``ctx``: all that a referee can do.

Runs in the worker. Nothing happens when a method is called: words, state, turn, end
and timers are collected, checked where the author can still see the line, and sent to
the host as one value when the hook has returned.
"""

from __future__ import annotations

import copy
import math
from typing import Any

from mcp_multiplayer.sandbox.language.modules import Module
from mcp_multiplayer.sandbox.protocol.values import LONGEST, TIMERS, plain, size
from mcp_multiplayer.sandbox.worker.clock import Clock
from mcp_multiplayer.sandbox.worker.files import WORKSPACE
from mcp_multiplayer.sandbox.worker.rng import CONTEXT, Rng
from mcp_multiplayer.transcript.names import KIND


class OutputLimit(Exception):
    """The posts of one hook are too many or too large."""


class StateLimit(Exception):
    """The state is too large."""


class Context:
    """What a referee gets as ``ctx``."""

    def __init__(self, call: dict[str, Any], limits: dict[str, Any], chance: Rng, clock: Clock):
        self._limits = limits
        self._players = tuple(call["players"])
        self._state = call["state"]
        self._changed = False
        self._said: list[dict[str, Any]] = []
        self._size = 0
        self._turn: dict[str, Any] | None = None
        self._end: dict[str, Any] | None = None
        self._timers: dict[str, float | None] = {}
        self._broken: Exception | None = None
        self._clock = clock
        self._bot_id = call["bot_id"]
        self._random = Module("ctx.random", {name: getattr(chance, name) for name in CONTEXT})

    @property
    def bot_id(self) -> str:
        """This bot's label."""
        return str(self._bot_id)

    @property
    def players(self) -> list[str]:
        """Player ids seated now, in order of joining."""
        return list(self._players)

    @property
    def random(self) -> object:
        """Dice drawn from the key of the hook."""
        return self._random

    @property
    def workspace(self) -> str:
        """The directory for temporary files: open(f"{ctx.workspace}/name", "w"). Empty at the
        start of every hook."""
        return WORKSPACE

    def now(self) -> float:
        """Seconds since the epoch, the time of what triggered this hook."""
        return self._clock.now()

    def get_state(self) -> dict[str, Any]:
        """A copy of the state; {} the first time."""
        copied: dict[str, Any] = copy.deepcopy(self._state)
        return copied

    def set_state(self, state: Any) -> None:
        """Replace the state by a JSON object; errors name the path, such as state.scores[3]."""
        if not isinstance(state, dict):
            raise TypeError(f"state must be a dict, not {type(state).__name__}")
        value = plain(state, "state")
        used = size(value)
        if used > self._limits["state"]:
            raise self._break(
                StateLimit(f"the state has {used} bytes, at most {self._limits['state']} are kept")
            )
        self._state, self._changed = value, True

    def post(self, kind: str, body: Any = None, private: Any = None, to: Any = None) -> None:
        """Say something: ``to`` hides the body, or with ``private`` only those values."""
        if not isinstance(kind, str) or not KIND.fullmatch(kind):
            raise ValueError("post: kind must be a short word such as 'bot'")
        if isinstance(body, str):
            body = {"text": body}
        if not isinstance(body, dict):
            raise TypeError(f"post: body must be a dict or a string, not {type(body).__name__}")
        said: dict[str, Any] = {"kind": str.__str__(kind), "body": plain(body, "body")}
        if to is not None:
            said["to"] = self._addressees("post: to", to)
        if private is not None:
            said["private"] = self._private(private, said)
        self._count(said)
        self._said.append(said)

    def _private(self, private: Any, said: dict[str, Any]) -> Any:
        if not isinstance(private, dict) or not private:
            raise TypeError("post: private must be a dict of the values only `to` may see")
        if "to" not in said:
            raise ValueError("post: private needs to=[...], the players who may see it")
        both = set(private) & set(said["body"])
        if both:
            raise ValueError(f"post: {sorted(map(str, both))} stand in body and in private")
        return plain(private, "private")

    def _count(self, said: dict[str, Any]) -> None:
        self._size += size(said)
        if len(self._said) >= self._limits["posts"]:
            raise self._break(OutputLimit(f"more than {self._limits['posts']} posts in one hook"))
        if self._size > self._limits["output"]:
            raise self._break(
                OutputLimit(f"the posts of one hook exceed {self._limits['output']} bytes")
            )

    def _break(self, error: Exception) -> Exception:
        self._broken = error  # even if the bot catches it
        return error

    def _addressees(self, what: str, to: Any) -> list[str]:
        named = self._ids(what, to)
        for name in named:
            if not name.startswith("bot:"):
                self._seated(what, name)
        if not named:
            raise ValueError(f"{what} is empty; leave it out for everybody")
        return named

    def _ids(self, what: str, value: Any) -> list[str]:
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list | tuple) or not all(isinstance(i, str) for i in items):
            raise TypeError(f"{what} takes a player id or a list of them")
        return list(dict.fromkeys(str.__str__(item) for item in items))

    def _seated(self, what: str, name: str) -> None:
        if name not in self._players:
            seated = ", ".join(self._players) or "nobody"
            raise ValueError(f"{what}: nobody here is called {name[:40]!r}; seated: {seated}")

    def set_turn(
        self, players: Any, seconds: Any = None, expect: Any = None, to: Any = None
    ) -> None:
        """Say who is to move; no player clears the turn. Late: on_timer("turn"). ``to`` has the
        move sealed to these names: to=["bot:coin"]."""
        named = self._ids("set_turn", players or [])
        for name in named:
            self._seated("set_turn", name)
        if seconds is not None:
            seconds = self._seconds("set_turn", seconds)
        expected = plain(expect, "expect")
        sealed = self._sealed_by(expected) if to is None else self._addressees("set_turn: to", to)
        self._turn = {"players": named, "seconds": seconds, "expect": expected, "to": sealed}

    def _sealed_by(self, expect: Any) -> list[str] | None:
        """To whom a move is sealed by an ``expect`` such as {"body": […], "to": ["bot:coin"]};
        None for a "to" of the author's own meaning."""
        to = expect.get("to") if isinstance(expect, dict) else None
        named = [to] if isinstance(to, str) else to
        here = {f"bot:{self.bot_id}", *self._players}
        known = isinstance(named, list) and all(isinstance(n, str) and n in here for n in named)
        return list(dict.fromkeys(named)) if known and named else None

    def _seconds(self, what: str, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(f"{what}: seconds must be a number")
        if not math.isfinite(value) or not 0 < value <= LONGEST:
            raise ValueError(f"{what}: seconds must be above 0 and at most a year")
        return float(value)

    def set_timer(self, name: str, seconds: Any) -> None:
        """Call on_timer(name) after so many seconds; the same name again replaces it."""
        self._timers[self._timer(name)] = self._seconds("set_timer", seconds)

    def cancel_timer(self, name: str) -> None:
        """Forget a timer; nothing happens if there is none."""
        self._timers[self._timer(name)] = None

    def _timer(self, name: Any) -> str:
        if not isinstance(name, str) or not KIND.fullmatch(name):
            raise ValueError("a timer's name must be a short word")
        if name == "turn":
            raise ValueError("the timer 'turn' belongs to set_turn(players, seconds)")
        if len(self._timers) >= TIMERS and name not in self._timers:
            raise ValueError(f"at most {TIMERS} timers in one hook")
        return str.__str__(name)

    def end(self, result: Any) -> None:
        """Finish the game: {"winners": [...], "reason": ..., "scores": ...}."""
        if not isinstance(result, dict) or "winners" not in result:
            raise ValueError('end: takes a dict such as {"winners": ["alice"], "reason": "..."}')
        value = plain(result, "end")
        value["winners"] = self._ids("end: winners", value["winners"] or [])
        self._end = value
