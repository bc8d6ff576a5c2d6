"""Starts proxy, server and house, says how to use them, and keeps them running until told to stop.
Decides nothing: settings come from `config.py`, everything else from the programs.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import platform
import signal
import socket
import ssl
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from mcp_multiplayer import config as configuration
from mcp_multiplayer import connecting

GRACE_SECONDS = 10.0  # for a program to end by itself: to answer who waits, then close
REFUSED = 2  # how a program ends that cannot use a setting; it has said which
GIVE_UP_AFTER = 5  # deaths in a row of a program that never answered
LONGEST_PAUSE = 30.0
SETTLED_SECONDS = 60.0  # whoever lived so long starts again with the shortest pause

#: Ends the child when this process is gone, even by kill -9. The bond survives exec, so
#: it is tied by a first, tiny interpreter: preexec_fn would run our code between fork
#: and exec. Linux only; elsewhere the process group has to do.
BOND = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


@dataclass(frozen=True)
class Program:
    """One of the processes, and where it answers GET /healthz. The house has no such place: nobody
    waits for it at the start, and without it the others go on."""

    module: str  # of this package
    host: str = ""
    port: int = 0
    tls: bool = False
    name: str = "localhost"  # what the Host header says
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def needed(self) -> bool:
        """Whether nothing goes on without it."""
        return self.port > 0


def programs_of(settings: configuration.Settings) -> tuple[Program, ...]:
    public = urlsplit(settings.base_url()).netloc
    pair = (
        Program("multiplayer_server", settings.mcp_host, settings.mcp_port),
        Program("oauth_proxy", settings.proxy_host, settings.proxy_port, settings.use_ssl, public),
    )
    return (*pair, Program("house")) if settings.house_players else pair


# What is looked at before anything starts


def faults(settings: configuration.Settings) -> Iterator[str]:
    """Yield one line for each thing that would keep the programs from starting."""
    if settings.proxy_port == settings.mcp_port:
        yield f"PROXY_PORT and MCP_PORT are both {settings.mcp_port}: choose two ports."
    yield from _port_faults("PROXY", settings.proxy_host, settings.proxy_port)
    yield from _port_faults("MCP", settings.mcp_host, settings.mcp_port)
    if settings.use_ssl:
        for variable in ("ssl_cert_path", "ssl_key_path"):
            path = getattr(settings, variable)
            if not (path and os.access(path, os.R_OK)):
                yield f"{variable.upper()}={path}: USE_SSL needs a file here that can be read."
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=settings.data_dir):
            pass
    except OSError as error:
        where = settings.data_dir.absolute()
        yield f"DATA_DIR={where} cannot be written ({error.strerror}): choose another directory."


def _port_faults(prefix: str, host: str, port: int) -> Iterator[str]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            yield (
                f"Port {port} ({prefix}_PORT) is in use by another program, perhaps by another "
                f"start of this one. Stop that, or choose another port: {prefix}_PORT={port + 1}"
            )
        elif error.errno == errno.EACCES:
            yield f"{prefix}_PORT={port}: this user may not use that port; choose one above 1023."
        else:
            yield f"{prefix}_HOST={host} is no address of this machine."


# Keeping them running


async def supervise(programs: Sequence[Program], welcome: Callable[[], str]) -> int:
    """Run the programs until a signal comes; 0 then, 1 when one of them cannot start."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        with contextlib.suppress(NotImplementedError, AttributeError):  # Windows
            loop.add_signal_handler(getattr(signal, name), stop.set)
    needed = [program for program in programs if program.needed]
    greeter = asyncio.create_task(_greet(needed, welcome))
    started = await asyncio.gather(*(_keep(program, stop) for program in programs))
    greeter.cancel()
    return 0 if all(started) else 1


async def _keep(program: Program, stop: asyncio.Event) -> bool:
    """Start the program again and again until ``stop``; False when it never came up."""
    deaths = 0
    while not stop.is_set():
        began = time.monotonic()
        child = await asyncio.create_subprocess_exec(
            *_command(program), stdin=asyncio.subprocess.DEVNULL
        )
        ended = asyncio.create_task(child.wait())
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait((ended, stopped), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        # Ctrl-C reaches the whole group: a child may be gone before we know why.
        if await _within(0.2, stop):
            await _end(child, ended)
            return True
        deaths = 1 if time.monotonic() - began > SETTLED_SECONDS else deaths + 1
        how = _how(ended.result())
        if why := _hopeless(program, ended.result(), deaths):
            _say(why)
            if program.needed:
                stop.set()
            return not program.needed
        came_up = program.answered.is_set() or not program.needed
        pause = min(2.0 ** min(deaths - 1, 9), LONGEST_PAUSE) if came_up else 1.0
        _say(f"{program.module} {how}; starting it again in {pause:.0f} s.")
        await _within(pause, stop)
    return True


def _hopeless(program: Program, code: int, deaths: int) -> str:
    """Why a program that ended with ``code`` is not started again; "" if it is."""
    if not program.needed:
        return "No house plays here; the others go on." if code == REFUSED else ""
    if program.answered.is_set():
        return ""
    if code == REFUSED:
        return "Stopped: with that setting it cannot start."
    if deaths == GIVE_UP_AFTER:
        how = f"{program.module} {_how(code)} {deaths} times"
        return f"{how} without ever answering; see above. Stopped."
    return ""


def _command(program: Program) -> list[str]:
    plain = ["-u", "-m", f"mcp_multiplayer.{program.module}"]
    if platform.system() != "Linux":
        return [sys.executable, *plain]
    return [sys.executable, "-I", "-S", "-c", BOND, str(os.getpid()), *plain]


async def _end(child: asyncio.subprocess.Process, ended: asyncio.Task[int]) -> None:
    if not ended.done():
        child.terminate()
        await asyncio.wait((ended,), timeout=GRACE_SECONDS)
    if not ended.done():
        child.kill()
    await ended


async def _within(seconds: float, event: asyncio.Event) -> bool:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
    return event.is_set()


def _how(code: int) -> str:
    return f"ended with code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"


async def _greet(programs: Sequence[Program], welcome: Callable[[], str]) -> None:
    """Say how to use it, at the moment it can be used."""
    began = time.monotonic()
    patience = 30.0
    while True:
        statuses = [await _status(program) for program in programs]
        for program, status in zip(programs, statuses, strict=True):
            if status:
                program.answered.set()
        if set(statuses) == {200}:
            _say(welcome())
            return
        if time.monotonic() - began > patience:
            _say(f"Not answering yet after {patience:.0f} s; still waiting.")
            patience *= 2
        await asyncio.sleep(0.2)


async def _status(program: Program) -> int:
    """Ask GET /healthz; 0 stands for no answer."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(program.host, program.host)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if program.tls else None
    if context:  # we ask ourselves, and the certificate is for the name that others use
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with contextlib.suppress(OSError, TimeoutError, ValueError, IndexError):
        async with asyncio.timeout(3):
            reader, writer = await asyncio.open_connection(host, program.port, ssl=context)
            try:
                writer.write(
                    f"GET /healthz HTTP/1.1\r\nHost: {program.name}\r\n"
                    "Connection: close\r\n\r\n".encode()
                )
                return int((await reader.readline()).split()[1])
            finally:
                writer.close()
    return 0


def _say(text: str) -> None:
    with contextlib.suppress(BrokenPipeError):  # nobody listens any more; the rooms go on
        print(text, flush=True)


# What the operator reads


def welcome(settings: configuration.Settings) -> str:
    """Say where it is, who can reach it, what to paste where, and what is kept where."""
    url = settings.base_url()
    return "\n".join(
        [
            f"\nMCP Multiplayer is ready: {url}",
            *_who(settings, url),
            *_paste(settings, url),
            f"Data is in {settings.data_dir.absolute()}; to back it up see docs/operations.md.",
            *_bots(settings),
            "Ctrl-C stops it.",
        ]
    )


def _who(settings: configuration.Settings, url: str) -> Iterator[str]:
    yield (
        "Each person is asked for the ACCESS_PASSCODE once."
        if settings.access_passcode
        else "No passcode is asked for: everybody who reaches it may enter (ACCESS_PASSCODE)."
    )
    local = settings.proxy_host in (*configuration.LOOPBACK, "::1")
    if settings.on_loopback:
        yield "It can be used by programs on this machine."
        if not local:
            yield "Others may knock, but every link says localhost: set PUBLIC_URL to let them in."
        return
    yield f"It can be used by everyone who can reach {urlsplit(url).hostname}."
    if settings.unencrypted:
        yield "Tokens cross the network in clear: use https outside a network you trust."
    if local and not settings.public_url:
        yield f"It listens on {settings.proxy_host} only: set PROXY_HOST=0.0.0.0 for others."


def _paste(settings: configuration.Settings, url: str) -> Iterator[str]:
    endpoint = f"{url}/mcp"
    yield from connecting.local_lines(endpoint, clear=settings.unencrypted)
    if url.startswith("http:") or settings.on_loopback:
        yield (
            "  claude.ai and ChatGPT connect from their vendor's cloud: they need PUBLIC_URL to be "
            "an https address that leads here."
        )
    else:
        yield from connecting.cloud_lines(endpoint)


def _bots(settings: configuration.Settings) -> Iterator[str]:
    system = {"Darwin": "macOS"}.get(platform.system(), platform.system())
    if system != "Linux":
        yield f"No bot runs on {system}, for want of a jail. With Docker they do: docker compose up"
    elif settings.bot_isolation == "unsafe":
        yield "BOT_ISOLATION=unsafe: bots of strangers run here WITHOUT A JAIL."


def main(home: Path | None = None) -> int:
    """Run both until a signal comes. ``home`` is where `.env` and a relative DATA_DIR are looked
    for, by default the working directory; a checkout names itself. Returns the exit code."""
    if home is not None:
        os.chdir(home)
    try:
        settings = configuration.load()
    except configuration.BadSetting as error:
        return _refuse(str(error))
    if found := list(faults(settings)):
        return _refuse(*found)
    return asyncio.run(supervise(programs_of(settings), lambda: welcome(settings)))


def _refuse(*lines: str) -> int:
    print("\n".join(lines), file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
