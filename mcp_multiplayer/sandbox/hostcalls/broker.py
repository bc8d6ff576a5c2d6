"""What the host does for a bot while its hook runs.

On the other side is a worker that may have fallen to its bot. It asks, one question at a
time; `sandbox/protocol/hostcalls.py` has checked the form, the policy decides on the place,
and a hook has so many connections, look-ups, files, bytes and seconds and no more. Every
answer of the network is recorded; a replay is answered from that record and nothing else.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import re
import ssl
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcp_multiplayer.sandbox.call import Effect, Limits
from mcp_multiplayer.sandbox.hostcalls.cassette import Cassette, Recording
from mcp_multiplayer.sandbox.hostcalls.certificates import believing, usual
from mcp_multiplayer.sandbox.hostcalls.connections import Connection
from mcp_multiplayer.sandbox.hostcalls.dialer import Dialer, Refused
from mcp_multiplayer.sandbox.hostcalls.dice import Dice
from mcp_multiplayer.sandbox.hostcalls.egress import BadEgress, Egress
from mcp_multiplayer.sandbox.hostcalls.network_errors import TooLong, told
from mcp_multiplayer.sandbox.hostcalls.workspace import Workspace, Workspaces
from mcp_multiplayer.sandbox.protocol.hostcalls import (
    QUESTIONS,
    Connect,
    Draw,
    Fetch,
    Open,
    Question,
    Receive,
    Recorded,
    Resolve,
    Secure,
    Send,
    Shut,
    Spoken,
)
from mcp_multiplayer.sandbox.protocol.wire import Broken
from mcp_multiplayer.transcript.canonical_json import canonical

if TYPE_CHECKING:
    from mcp_multiplayer.sandbox.hostcalls.fetcher import Response

log = logging.getLogger(__name__)
CONNECTIONS = 10  #: of one hook, whoever makes them
LOOK_UPS = 20
SENT = 1 << 20  #: bytes that one hook may send
TIME_SHARE = 0.8  #: of the hook's seconds; the rest is for what the bot makes of it
SAID = 100  #: questions of one hook about connections of its own; each stands in the log
_OVER_ONE = ("tls", "send", "receive", "shut")
_LOOK = 0.05  #: seconds between two looks at what files given away hold
_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----")


class Broker:
    """The policy, the name server, the certificates and the disk, shared by all hooks."""

    def __init__(
        self,
        egress: Egress | None = None,
        *,
        limits: Limits | None = None,
        ca_file: Path | None = None,
        dialer: Dialer | None = None,
        workspaces: Workspaces | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.dialer = dialer or Dialer(egress or Egress())
        self.workspaces = workspaces or Workspaces(largest=self.limits.workspace)
        self.authorities = _read_authorities(ca_file)
        if not self.dialer.egress.nothing:
            _ = self.verified  # 15 ms, now rather than in the middle of a game

    def close(self) -> None:
        """Let go of look-ups and directories."""
        self.dialer.close()
        self.workspaces.close()

    @cached_property
    def verified(self) -> ssl.SSLContext:
        """TLS that believes the usual authorities, and the operator's."""
        return believing(usual() + self.authorities)

    @cached_property
    def unverified(self) -> ssl.SSLContext:
        """TLS for a bot that asked for ``verify=False``; its request says so in the record."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

    def desk(
        self,
        stop: Callable[[], None],
        *,
        key: bytes,
        tape: Recording | None = None,
        recording: Recording | None = None,
    ) -> HookBroker:
        """Whom one hook asks, from now on. ``stop`` ends its worker, ``key`` is of its dice.
        ``tape`` answers it instead of the network; ``recording`` hears what the network answers."""
        return HookBroker(self, stop, key, tape, recording)


class HookBroker:
    """One hook's questions, budgets, descriptors and record. Most hooks ask nothing: what their
    questions need is made with the first one."""

    def __init__(
        self,
        broker: Broker,
        stop: Callable[[], None],
        key: bytes,
        tape: Recording | None,
        recording: Recording | None,
    ) -> None:
        self._key = key
        self._dice: Dice | None = None
        self._files: Workspace | None = None
        self.effects: list[Effect] = []
        self.verdict: tuple[str, str] | None = None  #: why the host ended the hook
        self.refused = 0  #: answers that were no, by policy or budget
        self._broker, self._stop = broker, stop
        self._tape = None if tape is None else Cassette(tape)
        self._recording = recording
        self._loop = asyncio.get_running_loop()
        self._seconds = broker.limits.hook_seconds * TIME_SHARE
        self._ends = self._loop.time() + self._seconds
        self._names: dict[str, set[str]] = {}  # address -> names that led to it
        self._connected = False  # how far the question under way has come
        self._asked = self._connections = self._looked_up = self._sent = 0
        self._said = self._received = 0  # over connections of its own
        self._held: list[Connection] = []
        self._watch: asyncio.Task[None] | None = None

    async def answer(self, question: Question) -> tuple[dict[str, Any], int | None]:
        """The answer, and a descriptor to go with it. `Broken` or `Differs` end the hook.

        The descriptor is the caller's to close.
        """
        if isinstance(question, Draw):
            if self._dice is None:
                self._dice = Dice(self._key)
            return self._dice.answer(question.blocks), None
        self._asked += 1
        if self._asked > QUESTIONS:
            raise Broken("more questions than any hook has")
        if isinstance(question, Open):
            return self._open(question)
        return await self._recorded(question), None

    def finish(self) -> None:
        """The hook has returned; a replay that asked less than was recorded `Differs`."""
        if self._tape is not None:
            self._tape.finish()

    @property
    def holds(self) -> bool:
        """Something is held for the hook: a connection, a file."""
        return bool(self._held) or (self._files is not None and self._files.used)

    @property
    def draws(self) -> int:
        """How many blocks of its dice it was told."""
        return 0 if self._dice is None else self._dice.count

    async def close(self) -> None:
        """Hang up and remove the files; afterwards nothing of the hook is left here."""
        if self._watch is not None:
            self._watch.cancel()
        for connection in self._held:
            connection.close()
        if self._files is not None and self._files.used:
            await asyncio.shield(asyncio.to_thread(self._files.close))

    # The record

    async def _recorded(self, question: Recorded) -> dict[str, Any]:
        kind, request = question.kind, question.blob
        if self._tape is not None:
            try:
                return await self._tape.answer(kind, request)
            finally:
                self.effects[:] = self._tape.repeated
        self._connected = kind in _OVER_ONE
        try:
            answer = await self._network(question)
        except TimeoutError:
            missed = "answer" if self._connected else "connection"
            words = f"no {missed} in time; a hook has {self._seconds:g} seconds for the network"
            answer = told(TimeoutError(words), connected=self._connected)
        except (OSError, ValueError) as error:
            answer = told(error, connected=self._connected)
        except Exception:  # a fault of ours must not end the room
            log.exception("a %s failed", kind)
            answer = told(Refused("the server failed to do this"), connected=self._connected)
        self.refused += answer.get("error") == "refused"
        effect = Effect(kind, request, canonical(answer))
        self.effects.append(effect)
        if self._recording is not None:
            self._recording.add(effect)
        return answer

    # The network

    async def _network(self, question: Recorded) -> dict[str, Any]:
        match question:
            case Fetch():
                return await self._fetch(question)
            case Resolve():
                return await self._resolve(question)
            case Connect():
                return await self._connect(question)
            case Secure():
                return await self._secure(question)
            case Send():
                return await self._send(question)
            case Receive():
                return await self._receive(question)
            case Shut():
                return await self._shut(question)

    async def _fetch(self, question: Fetch) -> dict[str, Any]:
        # With h11, which no verifier needs.
        from mcp_multiplayer.sandbox.hostcalls.fetcher import fetch

        request, broker = question.request, self._broker
        self._spend(connections=1, sent=len(request.body) + len(request.target))
        async with asyncio.timeout(self._left(question.seconds)):
            place = await broker.dialer.locate(request.host, request.port)
            sock = await broker.dialer.connect(place, self._left(question.seconds))
            self._connected = True
            tls = None
            if request.scheme == "https":
                tls = broker.verified if question.verify else broker.unverified
            asked = request.at(place.name)
            return _response(await fetch(sock, asked, tls, broker.limits.response))

    async def _resolve(self, question: Resolve) -> dict[str, Any]:
        self._spend(look_ups=1)
        async with asyncio.timeout(self._left(None)):
            name, addresses = await self._broker.dialer.resolve(question.host)
        for address in addresses:
            self._names.setdefault(str(address), set()).add(name)
        return {"addresses": [str(address) for address in addresses]}

    async def _connect(self, question: Connect) -> dict[str, Any]:
        self._spend(connections=1)
        dialer = self._broker.dialer
        async with asyncio.timeout(self._left(question.seconds)):
            known = self._names.get(question.host, set())
            place = await dialer.locate(question.host, question.port, known)
            place = place.only(question.version)
            sock = await dialer.connect(place, self._left(question.seconds))
        self._held.append(Connection(sock))  # closed with the hook, whatever happens
        address, port = sock.getpeername()[:2]
        version = 4 if "." in address else 6
        return {"connection": len(self._held), "address": address, "port": port, "version": version}

    async def _secure(self, question: Secure) -> dict[str, Any]:
        connection = self._connection(question)
        async with asyncio.timeout(self._left(question.seconds)):
            return await connection.secure(question, self._broker.authorities)

    async def _send(self, question: Send) -> dict[str, Any]:
        connection = self._connection(question)
        self._spend(sent=len(question.data))
        async with asyncio.timeout(self._left(question.seconds)):
            return await connection.send(question.data)

    async def _receive(self, question: Receive) -> dict[str, Any]:
        connection = self._connection(question)
        longest = self._broker.limits.response
        async with asyncio.timeout(self._left(question.seconds)):
            answer = await connection.receive(question.most)
        self._received += len(answer["data"]) * 3 // 4
        if self._received > longest:
            raise TooLong(f"more than {longest >> 10} KB came over a bot's own connections")
        return answer

    async def _shut(self, question: Shut) -> dict[str, Any]:
        return await self._connection(question).shut(all=question.all)

    def _connection(self, question: Spoken) -> Connection:
        """The connection that a question is about."""
        self._said += 1
        if self._said > SAID:
            raise Refused(f"a bot may speak {SAID} times over its own connections in one hook")
        if question.connection > len(self._held):
            raise Refused("there is no such connection")
        return self._held[question.connection - 1]

    def _spend(self, *, connections: int = 0, look_ups: int = 0, sent: int = 0) -> None:
        self._connections += connections
        self._looked_up += look_ups
        self._sent += sent
        if self._connections > CONNECTIONS:
            raise Refused(f"a bot may make {CONNECTIONS} connections in one hook, no more")
        if self._looked_up > LOOK_UPS:
            raise Refused(f"a bot may look up {LOOK_UPS} names in one hook, no more")
        if self._sent > SENT:
            raise Refused(f"a bot may send {SENT >> 10} KB in one hook, no more")

    def _left(self, seconds: float | None) -> float:
        left = max(0.0, self._ends - self._loop.time())
        return left if seconds is None else min(seconds, left)

    # Files

    def _open(self, question: Open) -> tuple[dict[str, Any], int | None]:
        if self._files is None:
            self._files = self._broker.workspaces.hook()
        try:
            fd = self._files.open(question.path, question.mode)
        except OSError as error:
            return {"errno": error.errno, "text": error.strerror}, None
        if self._watch is None:
            self._watch = asyncio.create_task(self._watching(self._files))
        return {}, fd

    # What is given away is watched

    async def _watching(self, files: Workspace) -> None:
        while self.verdict is None:
            await asyncio.sleep(_LOOK)
            if files.used and files.full:
                shown = self._broker.limits.workspace >> 20
                self.verdict = ("WorkspaceLimit", f"the files exceed {shown} MB")
                self._stop()


def _response(response: Response) -> dict[str, Any]:
    return {
        "status": response.status,
        "reason": response.reason,
        "headers": [list(pair) for pair in response.headers],
        "body": base64.b64encode(response.body).decode(),
    }


def _read_authorities(ca_file: Path | None) -> str:
    if ca_file is None:
        return ""
    try:
        text = ca_file.read_text("utf-8", "replace")
        found = "\n".join(_CERTIFICATE.findall(text)) + "\n"
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=found)
    except (OSError, ValueError) as error:
        raise BadEgress(f"BOT_EGRESS_CA_FILE={ca_file}: no certificates in it ({error})") from None
    return found
