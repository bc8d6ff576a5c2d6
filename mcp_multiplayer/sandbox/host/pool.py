"""Where the host hands over a hook and gets a result.

On the other side of every worker's socket is a stranger's code. Whatever it does, the
call ends at its deadline, the result is one of two values, and the process is gone.
A worker serves one call; a few wait ready, forked and jailed beforehand.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import math
import os
import socket
from collections import Counter, deque
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mcp_multiplayer.errors import BotRejected, TooLarge, Unavailable
from mcp_multiplayer.sandbox.call import (
    MOST_CODE,
    Compiled,
    Effect,
    Failed,
    Finished,
    HookCall,
    HookResult,
    Limits,
    SourceReport,
)
from mcp_multiplayer.sandbox.host import selftest
from mcp_multiplayer.sandbox.host.compile_cache import CompileCache
from mcp_multiplayer.sandbox.host.fair_queue import LEAST, SERVER, FairQueue, Owner, Place
from mcp_multiplayer.sandbox.host.forkserver import HERE, Death, ForkServer, Surroundings
from mcp_multiplayer.sandbox.host.load import HALF_LIFE, Load
from mcp_multiplayer.sandbox.hostcalls.broker import Broker, HookBroker
from mcp_multiplayer.sandbox.hostcalls.cassette import Differs, Recording
from mcp_multiplayer.sandbox.jail.isolation import UIDS, Isolation, Policy
from mcp_multiplayer.sandbox.language.library import wanted, with_lines
from mcp_multiplayer.sandbox.protocol import frames, wire
from mcp_multiplayer.sandbox.protocol.hostcalls import LARGEST, MARK, MOST_HEARD, read_question

log = logging.getLogger(__name__)
#: How long a zygote may take to load its modules, and a worker to be forked.
START_SECONDS = 30.0
#: Times as long may a source of ours take to compile: it ends, and a busy machine is not its fault.
PATIENCE_WITH_OURS = 4
#: How long a worker that has answered may take to end.
LEAVING = 0.2
COUNTED = ("ran", "failed", "timed_out", "killed", "rejected")
#: However many cores there are: every worker has a user of its own.
MOST_AT_ONCE = 128


class NotIsolated(Exception):
    """The walls of this machine are not enough for what players bring."""


@dataclass
class Worker:
    """One forked process, from the host's side."""

    job: int
    sock: socket.socket
    death: asyncio.Future[Death]
    keeper: ForkServer

    def drop(self) -> None:
        """End it, if it has not ended by itself."""
        self.sock.close()
        self.end()

    def leave(self) -> None:
        """It has answered, and ends by itself; it is ended if it does not."""
        self.sock.close()
        asyncio.get_running_loop().call_later(LEAVING, self.end)

    def end(self) -> None:
        """End it while somebody reads from it, who then hears of it."""
        self.keeper.kill(self.job)


class Pool:
    """Runs hooks of strangers' code, each in a process of its own."""

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        broker: Broker | None = None,
        spares: int = 2,
        at_once: int | None = None,
        policy: Policy = "auto",
        without: Collection[str] = (),
        surroundings: Surroundings = HERE,
        seconds: float | None = None,
        library: str = "",
    ) -> None:
        """``broker`` is what bots reach; left out, nothing but their own files. ``spares``:
        workers to have ready, more after a rush (`Load`), none at all if 0. ``without``
        leaves walls out, by name: for tests, and to see what each one costs. ``seconds``: the
        deadline of a hook here, whatever a room's is. ``library``: what a source imports as
        `referee` where a call does not say; each zygote has it at hand, compiled.
        """
        self.limits = limits or Limits()
        self.broker = broker or Broker(limits=self.limits)
        self.spares = spares
        self.isolation = Isolation(
            policy, memory=self.limits.memory, workspace=self.limits.workspace
        )
        self.counts: Counter[str] = Counter()  #: of hooks, and of what ended some of them
        self._without = without
        self._surroundings = surroundings
        self._seconds = seconds
        self._library = library
        cores = os.cpu_count() or 1
        self._at_once = at_once or min(max(LEAST, 2 * cores), MOST_AT_ONCE)
        self._shares = FairQueue(self._at_once)
        self._load = Load()
        self._at_work = 0
        self._cache = CompileCache()
        self._libraries = CompileCache()
        self._ready: deque[Worker] = deque()
        self._trim: asyncio.TimerHandle | None = None
        self._keeper: ForkServer | None = None
        self._starting = asyncio.Lock()
        self._closed = False

    async def start(self) -> None:
        """Bring the zygote up and the first workers; Unavailable if that fails."""
        await self._kept()
        self._refill()

    async def close(self) -> None:
        """End every process; calls under way become `Failed`."""
        self._closed = True
        if self._trim is not None:
            self._trim.cancel()
        self._keep(0)
        if self._keeper is not None:
            await self._keeper.close()
        self.broker.close()

    async def __aenter__(self) -> Pool:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def run(
        self,
        call: HookCall,
        *,
        tape: Recording | Sequence[Effect] | None = None,
        recording: Recording | None = None,
        owner: Owner = SERVER,
        limits: Limits | None = None,
    ) -> HookResult:
        """See `Executor`. ``owner`` is whose share of the workers it takes."""
        if tape is not None and not isinstance(tape, Recording):
            tape = Recording(tape, over=True)
        try:
            result = await self._run(call, tape, recording, owner, limits or self.limits)
        finally:
            if recording is not None:
                recording.end()
        self.counts["ran"] += 1
        if isinstance(result, Failed):
            self.counts["failed"] += 1
            self.counts["killed"] += result.killed
            self.counts["timed_out"] += result.error == "TimeLimit"
        return result

    async def _run(
        self,
        call: HookCall,
        tape: Recording | None,
        recording: Recording | None,
        owner: Owner,
        limits: Limits,
    ) -> HookResult:
        try:
            return await self._walled(call, tape, recording, owner, limits)
        except NotIsolated as error:
            return Failed("NotIsolated", text=str(error))

    async def _walled(
        self,
        call: HookCall,
        tape: Recording | None,
        recording: Recording | None,
        owner: Owner,
        limits: Limits,
    ) -> HookResult:
        request = await self._request(call, owner, limits)
        if not isinstance(request, bytes):
            return request
        worker = await self._take(owner, hash((call.source, call.hook)), inline=call.inline)
        if recording is not None:
            recording.begun.set()
        desk = self.broker.desk(worker.end, key=call.key, tape=tape, recording=recording)
        part = worker.drop
        try:
            result = await self._outcome(worker, request, call, desk, limits)
            if isinstance(result, Finished) and not desk.holds:
                part = worker.leave
        finally:
            part()
            await desk.close()
        if desk.refused:  # which place is not said: its name may hold a player's secret
            log.info("bot %r was refused the network %d times", call.bot_id, desk.refused)
        if isinstance(result, Failed):
            result = replace(result, text=with_lines(result.text, self._library_of(call.library)))
        return replace(result, effects=tuple(desk.effects), draws=desk.draws)

    async def _request(
        self, call: HookCall, owner: Owner, limits: Limits
    ) -> bytes | Failed | Finished:
        """The frames that a worker is handed, or what comes of the hook without one."""
        compiled = await self.compiled(
            call.source, library=call.library, owner=owner, inline=call.inline
        )
        if isinstance(compiled, Failed):
            return compiled
        if not compiled.code and compiled.rejected:
            return Failed("BotRejected", line=compiled.line, text=compiled.rejected)
        if call.hook not in compiled.report.hooks:
            return Finished()
        request = wire.hook_request(call, compiled, limits)
        if len(request) > frames.LARGEST_REQUEST:
            return Failed("StateLimit", text="the hook's inputs are too large")
        if not compiled.report.library:
            return frames.pack(request, compiled.code)
        if (text := self._library_of(call.library)) == self._library:
            return frames.pack(request, compiled.code, b"")  # the zygote has it
        library = await self._compiled_library(text, owner=owner, inline=call.inline)
        if isinstance(library, Failed):
            return library
        if not library.code:
            return Failed("BotRejected", text=f"its library: {library.rejected or 'has no class'}")
        return frames.pack(request, compiled.code, library.code)

    async def _outcome(
        self, worker: Worker, request: bytes, call: HookCall, desk: HookBroker, limits: Limits
    ) -> HookResult:
        seconds = self._deadline(limits)
        try:
            async with asyncio.timeout(seconds):
                largest = max(LARGEST, wire.largest_answer(limits))
                data = await self._converse(worker, request, desk, largest)
            result = wire.hook_result(data, call, limits)
            desk.finish()
            return result
        except TimeoutError:
            text = f"the hook took longer than {seconds:g} seconds"
            return Failed("TimeLimit", text=text, killed=True)
        except Differs as error:
            return Failed("NonDeterministic", text=str(error))
        except (frames.BadFrame, OSError) as error:
            if desk.verdict is not None:
                return Failed(desk.verdict[0], text=desk.verdict[1], killed=True)
            return await self._crashed(worker, str(error))
        except wire.Broken as error:
            log.warning("worker of %s sent a forged answer: %s", call.bot_id, error)
            return Failed("Crashed", text="the answer was not one of ours", killed=True)

    def report(self) -> dict[str, Any]:
        """See `Executor`."""
        counted = {name: self.counts[name] for name in COUNTED}
        return {**self.isolation.report(), "counts": counted}

    async def inspect(
        self,
        source: str,
        *,
        library: str | None = None,
        inline: bool = True,
        owner: Owner = SERVER,
    ) -> SourceReport:
        """See `Executor`: it is compiled in a worker that runs nothing else."""
        try:
            return await self._inspect(source, library, inline, owner)
        except (BotRejected, TooLarge) as rejection:
            self.counts["rejected"] += 1
            digest = hashlib.sha256(source.encode("utf-8", "replace")).hexdigest()
            log.info("source sha256:%s rejected: %r", digest, str(rejection)[:200])
            raise

    async def _inspect(
        self, source: str, library: str | None, inline: bool, owner: Owner
    ) -> SourceReport:
        size = len(source.encode("utf-8", "surrogatepass"))
        if inline and size > self.limits.source:
            raise TooLarge(f"The source has {size} bytes; at most {self.limits.source} are taken.")
        try:
            source.encode()
        except UnicodeEncodeError:
            raise BotRejected("The source is not valid Unicode text") from None
        try:
            compiled = await self.compiled(source, library=library, owner=owner, inline=inline)
        except NotIsolated as error:
            hint = "A preset runs here: list_bots names them."
            raise BotRejected(str(error), hint=hint) from None
        if isinstance(compiled, Failed) and compiled.error == "TimeLimit" and not inline:
            raise Unavailable("This server is too busy to read the referee.")  # it is ours
        if isinstance(compiled, Failed):
            raise BotRejected("The source takes too long or too much memory to compile")
        if compiled.rejected:
            raise BotRejected(compiled.rejected)
        return compiled.report

    async def compiled(
        self,
        source: str,
        *,
        library: str | None = None,
        owner: Owner = SERVER,
        inline: bool = True,
    ) -> Compiled | Failed:
        """What its hooks are handed, made once; `Failed` where making it took too much.
        `NotIsolated`, and Unavailable as from `run`."""
        library = self._library_of(library)
        compiled = self._cache.get(source, library)
        if compiled is None and not wanted(source):  # it is the same with any library
            library = ""
            compiled = self._cache.get(source, library)
        if compiled is not None:
            return compiled
        made = await self._compile(wire.compile_request(source, library), owner, inline=inline)
        if isinstance(made, Compiled):
            self._cache.put(source, made, library)
        return made

    async def _compiled_library(
        self, library: str, *, owner: Owner, inline: bool
    ) -> Compiled | Failed:
        """As `compiled`, of the text that sources import as `referee`."""
        compiled = self._libraries.get(library)
        if compiled is not None:
            return compiled
        made = await self._compile(wire.library_request(library), owner, inline=inline)
        if isinstance(made, Compiled):
            self._libraries.put(library, made)
        return made

    def _library_of(self, told: str | None) -> str:
        return self._library if told is None else told

    async def _compile(self, request: bytes, owner: Owner, *, inline: bool) -> Compiled | Failed:
        worker = await self._take(owner, "compile", inline=inline)
        try:
            patience = 1 if inline else PATIENCE_WITH_OURS
            async with asyncio.timeout(self._deadline(self.limits) * patience):
                data = await self._ask(worker, request)
                return wire.compiled(data, await self._receive(worker.sock, MOST_CODE))
        except TimeoutError:
            return Failed("TimeLimit", text="the source could not be compiled in time", killed=True)
        except (frames.BadFrame, OSError) as error:
            return await self._crashed(worker, f"while it compiled: {error}")
        except wire.Broken as error:
            log.warning("a worker that compiles sent a forged answer: %s", error)
            return Failed("Crashed", text="the answer was not one of ours", killed=True)
        finally:
            worker.drop()

    # Workers

    async def _take(self, owner: Owner, job: Hashable, *, inline: bool) -> Worker:
        """A worker that is ready for its one request, holding a place of its owner's until it
        dies; `NotIsolated` where there is none for ``inline`` sources. ``job`` is what may be
        expected to cost the same again."""
        place = await self._shares.take(owner, job)
        try:
            worker = await self._ready_worker()
        except BaseException:
            self._shares.give(place, 0.0)
            raise
        self._at_work += 1
        self._load.see(self._at_work)
        worker.death.add_done_callback(lambda death: self._done(place, death.result()))
        self._refill()
        if inline and (why := self.isolation.refusal()):
            worker.drop()
            raise NotIsolated(why)
        return worker

    def _done(self, place: Place, death: Death) -> None:
        self._at_work -= 1
        self._shares.give(place, death.cpu)

    async def _ready_worker(self) -> Worker:
        for _ in range(2 + len(self._ready)):
            keeper = await self._kept()
            worker = self._ready.popleft() if self._ready else self._fork(keeper)
            try:
                async with asyncio.timeout(START_SECONDS):
                    await self._receive(worker.sock, 16)
                if not worker.death.done():
                    return worker
                worker.drop()  # a spare that did not live to be used
            except (TimeoutError, frames.BadFrame, OSError) as error:
                log.warning("a worker did not come up: %r", error)
                worker.drop()
            except BaseException:
                worker.drop()
                raise
        raise Unavailable("No sandbox process could be started for the bot.")

    def _fork(self, keeper: ForkServer) -> Worker:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        ours.setblocking(False)
        with theirs:
            job, death = keeper.fork(theirs)
        return Worker(job, ours, death, keeper)

    def _refill(self) -> None:
        keeper = self._keeper
        if keeper is None or keeper.lost or self._closed:
            return
        wanted = self._wanted()
        while len(self._ready) < wanted:
            self._ready.append(self._fork(keeper))
        if len(self._ready) > self.spares and self._trim is None:
            self._trim = asyncio.get_running_loop().call_later(HALF_LIFE, self._after_a_rush)

    def _wanted(self) -> int:
        """As many as were at work lately. There is a user for each worker of a zygote: at work,
        ready, and let go but not buried yet."""
        most = min(self._at_once, (UIDS - self._at_once) // 2)
        return max(self.spares, min(self._load.lately(), most)) if self.spares else 0

    def _after_a_rush(self) -> None:
        self._trim = None
        self._keep(self._wanted())
        self._refill()

    def _keep(self, many: int) -> None:
        """Let the rest of the workers that are ready go."""
        while len(self._ready) > many:
            self._ready.pop().drop()

    async def _kept(self) -> ForkServer:
        """The zygote's keeper; a dead zygote is replaced, one caller doing it for all."""
        async with self._starting:
            if self._closed:
                raise Unavailable("The server is stopping.")
            if self._keeper is None or self._keeper.lost:
                if self._keeper is not None:
                    log.error("the sandbox zygote died; starting another")
                    await self._keeper.close()
                self._keep(0)
                keeper = ForkServer(
                    self._allowance(), self._surroundings, self._without, self._library
                )
                await keeper.start(START_SECONDS)
                try:
                    await self._examine(keeper)
                except BaseException:
                    await keeper.close()
                    raise
                self._keeper = keeper
            return self._keeper

    async def _examine(self, keeper: ForkServer) -> None:
        """Let no bot near a zygote before its walls have been tried."""
        self.isolation = replace(self.isolation, tried=0, failures=())
        tried, failures = await selftest.examine(lambda: self._fork(keeper))
        if keeper.lost:
            raise Unavailable("The bot sandbox ended while it was tried.")
        self.isolation = replace(self.isolation, walls=keeper.walls, tried=tried, failures=failures)
        told = self.isolation
        missing = "; ".join(told.degraded) or "nothing is missing"
        level = logging.INFO if told.level in ("full", "strong") else logging.WARNING
        log.log(
            level,
            "isolation of bots: %s, self-test %d of %d, %s",
            told.level,
            tried - len(failures),
            tried,
            missing,
        )

    def _deadline(self, limits: Limits) -> float:
        return limits.hook_seconds if self._seconds is None else self._seconds

    def _allowance(self) -> dict[str, int]:
        seconds = math.ceil(self._deadline(self.limits))
        return {
            "memory": self.limits.memory,
            "cpu_seconds": seconds + 2,
            "file_size": self.limits.workspace,
        }

    # One exchange

    async def _ask(self, worker: Worker, request: bytes) -> bytes:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(worker.sock, frames.pack(request))
        return await self._receive(worker.sock, wire.LARGEST_COMPILED)

    async def _converse(
        self, worker: Worker, request: bytes, desk: HookBroker, largest: int
    ) -> bytes:
        """Hand over the request's frames, answer every question, return the result's bytes."""
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(worker.sock, request)
        heard = 0
        while (data := await self._receive(worker.sock, largest)).startswith(MARK):
            heard += len(data)
            if heard > MOST_HEARD:
                raise wire.Broken("questions without end")
            answer, fd = await desk.answer(read_question(data))
            told = frames.pack(json.dumps(answer).encode())
            if fd is not None:
                told = _hand_over(worker.sock, told, fd)
            if told:  # else the worker may have gone already, its result said
                await loop.sock_sendall(worker.sock, told)
        return data

    async def _receive(self, sock: socket.socket, cap: int) -> bytes:
        header = await self._exactly(sock, frames.HEADER.size)
        return await self._exactly(sock, frames.length(header, cap))

    async def _exactly(self, sock: socket.socket, n: int) -> bytes:
        loop = asyncio.get_running_loop()
        data = bytearray()
        while len(data) < n:
            part = await loop.sock_recv(sock, min(n - len(data), 1 << 16))
            if not part:
                raise frames.BadFrame("end of stream")
            data += part
        return bytes(data)

    async def _crashed(self, worker: Worker, reason: str) -> Failed:
        """Why a worker went without an answer, as far as the zygote can tell in a moment."""
        worker.drop()
        done, _ = await asyncio.wait([worker.death], timeout=1.0)
        status = worker.death.result().status if done else None
        how = "the sandbox restarted" if status is None else f"the process ended with {status}"
        return Failed("Crashed", text=f"{how} ({reason})", killed=True)


def _hand_over(sock: socket.socket, told: bytes, fd: int) -> bytes:
    """Send the first bytes with a descriptor, which is closed here; what is left to send."""
    try:
        return told[socket.send_fds(sock, [told], [fd]) :]
    except BlockingIOError:  # our own worker reads each answer before it asks again
        raise wire.Broken("a worker that does not read its answers") from None
    finally:
        os.close(fd)
