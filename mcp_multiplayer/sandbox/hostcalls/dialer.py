"""The one place that looks up names and connects for bots.

Runs in the host. On the other side is a bot that names a target, and a name server that
may answer it differently every time. A name is looked up once, its addresses are judged
(`sandbox/hostcalls/egress.py`), and the connection is made to the very address that was
judged: there is no second look-up to win (tests/sandbox/hostcalls/test_egress.py).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from mcp_multiplayer.sandbox.hostcalls.egress import Address, Egress, literal, plain_name

#: Looks a name up: its addresses in order, or `socket.gaierror`.
Resolver = Callable[[str], Awaitable[list[str]]]
#: Says whether an address is one of this machine's own.
Local = Callable[[Address], bool]

#: A look-up cannot be called off, so slow name servers of one bot must not block all others.
LOOK_UPS_AT_ONCE = 32
MOST_ADDRESSES = 8  #: of one name


class Refused(PermissionError):
    """The policy forbids it; the text says what in words for the bot's author."""


@dataclass(frozen=True)
class Place:
    """A target as the bot named it, and where it really is."""

    name: str
    port: int  #: really connected to
    addresses: tuple[Address, ...]  #: judged and permitted

    def only(self, version: int | None) -> Place:
        """The same place by addresses of one version of IP, if a bot's socket is of one."""
        kept = tuple(a for a in self.addresses if version in (None, a.version))
        if not kept:
            raise socket.gaierror(socket.EAI_ADDRFAMILY, "No address of this socket's family")
        return replace(self, addresses=kept)


class Dialer:
    """Looks up and connects, under one policy."""

    def __init__(
        self, egress: Egress, *, resolver: Resolver | None = None, local: Local | None = None
    ) -> None:
        self.egress = egress
        self._resolver = resolver or self._system
        self._local = local or is_local
        self._threads = ThreadPoolExecutor(LOOK_UPS_AT_ONCE, "bot-dns")

    def close(self) -> None:
        """Let go of the look-ups under way."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def resolve(self, host: str) -> tuple[str, tuple[Address, ...]]:
        """The name and those of its addresses that bots may know of; Refused or gaierror."""
        name = _name(host)
        ours = [target for (n, _), (target, _) in self.egress.instead.items() if n == name]
        if ours:
            return name, tuple(dict.fromkeys(ours))
        found = await self._look_up(name)
        ports = [*self.egress.ports, *(p for _, p in self.egress.names if p)]
        ports += [p for _, p in self.egress.networks if p]
        ports += [p for _, p in self.egress.instead.values()]
        reasons = {a: [self._refuses(a, p, [name]) for p in ports] for a in found}
        good = tuple(a for a in found if not all(reasons[a]))
        if not good:
            raise Refused(reasons[found[0]][0])
        return name, good

    async def locate(self, host: str, port: int, known: Collection[str] = ()) -> Place:
        """Where a connection to this host would go; Refused if all of it is forbidden.

        ``known`` are names of which ``host`` is an address, by an earlier `resolve`.
        """
        name = _name(host)
        for alias in (name, *known):
            if (alias, port) in self.egress.instead:
                address, port = self.egress.instead[alias, port]
                return Place(name, port, (address,))
        found = await self._look_up(name, port)
        reasons = [self._refuses(address, port, [name, *known]) for address in found]
        good = tuple(a for a, reason in zip(found, reasons, strict=True) if not reason)
        if not good:
            raise Refused(reasons[0])
        return Place(name, port, good)

    async def connect(self, place: Place, seconds: float) -> socket.socket:
        """A connected socket that does not block; the last address's error if none answers."""
        ends = asyncio.get_running_loop().time() + seconds
        failed: OSError = TimeoutError("timed out")
        for tried, address in enumerate(place.addresses):
            left = ends - asyncio.get_running_loop().time()
            try:
                async with asyncio.timeout(left / (len(place.addresses) - tried)):
                    return await _connect(address, place.port)
            except OSError as error:
                failed = error
        raise failed

    async def _look_up(self, name: str, port: int | None = None) -> list[Address]:
        address = literal(name)
        if address is not None:
            return [address]
        reason = self.egress.refuses_name(name, port)
        if reason:
            raise Refused(reason)
        found = [literal(text) for text in await self._resolver(name)]
        unique = list(dict.fromkeys(a for a in found if a is not None))
        if not unique:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return unique[:MOST_ADDRESSES]

    def _refuses(self, address: Address, port: int, names: list[str]) -> str:
        return self.egress.refuses(address, port, names=names, local=self._local(address))

    async def _system(self, name: str) -> list[str]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(
            self._threads, lambda: socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        )
        return [str(entry[4][0]) for entry in found]


def _name(host: str) -> str:
    try:
        return plain_name(host)
    except ValueError as error:
        raise Refused(str(error)) from None


async def _connect(address: Address, port: int) -> socket.socket:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    made = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(made, (str(address), port))
    except BaseException:
        made.close()
        raise
    return made


def is_local(address: Address) -> bool:
    """True for an address of this machine: the kernel would answer it from itself.

    Connecting a datagram socket sends nothing; it only chooses the own end.
    """
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect((str(address), 9))
        except OSError:  # no way there
            return False
        own = literal(probe.getsockname()[0].partition("%")[0])
    return own is None or own == address or own.is_loopback
