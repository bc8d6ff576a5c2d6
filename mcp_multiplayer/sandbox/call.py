"""What goes into the sandbox and what comes out. This is the whole boundary. One `HookCall` goes
in, one `HookResult` comes out; both are plain JSON values, nothing else crosses. A bot that fails
is a result, not an exception: the host's own faults are the only exceptions (`errors.Unavailable`).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

#: Of the code of one source, in bytes: a folded constant is a thousand times its expression.
MOST_CODE = 4 << 20
#: Of a manifest, as JSON.
MOST_MANIFEST = 64 << 10

Hook: TypeAlias = Literal["on_init", "on_join", "on_start", "on_message", "on_leave", "on_timer"]


@dataclass(frozen=True)
class HookCall:
    """One hook of one referee: everything it may know of the world."""

    source: str
    hook: Hook
    args: tuple[Any, ...] = ()  #: (player_id,), (message,), (timer name,) or ()
    params: Mapping[str, Any] = field(default_factory=dict)
    state: Mapping[str, Any] = field(default_factory=dict)
    players: tuple[str, ...] = ()  #: player ids seated now, in order of joining
    now: float = 0.0  #: seconds since the epoch: the time of the entry that triggered the hook
    bot_id: str = ""
    key: bytes = bytes(32)  #: of this hook's dice: the host draws from it, the hook never has it
    inline: bool = True  #: a player brought the source; False for one that ships with the server
    #: The text that the source imports as `referee`; None: the executor's own.
    library: str | None = None


@dataclass(frozen=True)
class Said:
    """One ``ctx.post``. ``private`` are values of ``body`` that only ``to`` may see;
    ``to`` alone hides the whole body."""

    kind: str
    body: Mapping[str, Any]
    to: tuple[str, ...] | None = None
    private: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Turn:
    """One ``ctx.set_turn``; no players clears the turn. ``to``: to whom the move is sealed."""

    players: tuple[str, ...]
    seconds: float | None = None
    expect: Any = None
    to: tuple[str, ...] | None = None


#: What a hook asks of the world outside.
Kind: TypeAlias = Literal["fetch", "resolve", "connect", "tls", "send", "receive", "shut"]


@dataclass(frozen=True)
class Effect:
    """One question to the world outside and the host's answer, as canonical JSON."""

    kind: Kind
    request: bytes
    response: bytes

    @property
    def q(self) -> str:
        """The hash of the request."""
        return _hash(self.request)

    @property
    def r(self) -> str:
        """The hash of the response."""
        return _hash(self.response)


def _hash(blob: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(blob).digest()).rstrip(b"=").decode()


@dataclass(frozen=True)
class Finished:
    """The hook returned. Nothing of it has happened yet: the host commits it, or not.

    Its values are as a reader of the log gets them (`protocol.values.plain`), so nobody brings them
    into that form again."""

    said: tuple[Said, ...] = ()
    state: Mapping[str, Any] | None = None  #: None: unchanged
    turn: Turn | None = None
    end: Mapping[str, Any] | None = None
    timers: Mapping[str, float | None] = field(default_factory=dict)  #: seconds; None cancels
    prints: str = ""
    draws: int = 0  #: blocks of its dice that the hook was told, as the host counts
    effects: tuple[Effect, ...] = ()  #: what it asked of the network, in order


@dataclass(frozen=True)
class Failed:
    """The referee broke: an exception, or a limit it hit. It changed nothing.

    ``error`` is the exception's class name (``TimeLimit``, ``FuelLimit``, ``MemoryLimit``,
    ``OutputLimit``, ``StateLimit``, ``DrawLimit``, ``WorkspaceLimit``, ``NonDeterministic``,
    ``Crashed`` for ours) and goes into the channel with ``line``; ``text`` and ``prints`` reach
    the room's creator only.
    """

    error: str
    line: int | None = None
    text: str = ""
    prints: str = ""
    killed: bool = False  #: the host ended it; it might have gone on
    draws: int = 0  #: as in `Finished`
    effects: tuple[Effect, ...] = ()  #: as in `Finished`, up to the failure


HookResult: TypeAlias = Finished | Failed


@dataclass(frozen=True)
class SourceReport:
    """What can be known of a source before it runs."""

    hooks: tuple[str, ...] = ()  #: none for a text: announced, and never run
    class_name: str | None = None
    manifest: Mapping[str, Any] | None = None  #: a literal ``MANIFEST = {…}`` at its top
    network: bool = False  #: it imports a module that can reach the network
    dice: bool = False  #: it may draw random numbers
    library: bool = False  #: it imports `referee`: what is said here is of both texts together


@dataclass(frozen=True)
class Compiled:
    """A source as its hooks are handed it: what is known of it, and its code.

    ``code`` is `marshal` of this very Python, made in a worker that runs nothing else and read in
    workers that run this source, nowhere else: whoever subverts the compiler with a source gains
    what that source may do anyway.
    """

    report: SourceReport = SourceReport()
    code: bytes = b""  #: b"" for a text, and for what Python or the language refuses
    rejected: str = ""  #: why it cannot be attached; with code: a mistake found, but it runs
    line: int | None = None  #: of the first thing that is refused


@dataclass(frozen=True)
class Limits:
    """All sizes in bytes, times in seconds. Defaults are the contract's."""

    hook_seconds: float = 5.0
    fuel: int = 800_000  #: ticks, see `sandbox/language/fuel.py`; 0: no limit but the clock
    memory: int = 512 << 20
    output: int = 48 << 10  #: all posts of a hook as JSON
    posts: int = 256
    state: int = 256 << 10
    source: int = 48 << 10
    prints: int = 8 << 10
    response: int = 256 << 10  #: one answer of the network
    workspace: int = 100 << 20  #: of each file, and of all files of a hook
