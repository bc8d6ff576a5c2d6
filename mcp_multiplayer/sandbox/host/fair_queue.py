"""Who gets the next worker: whoever used least CPU lately.

On the other side are people who open any number of accounts whose referees never stop
(`tests/attacks/test_worker_hogs.py`). An account costs nothing, so it is counted under the
network that its person came from, which does; within a network, accounts are equals.

A running hook cannot be interrupted, so some places are kept free of those who might keep them:
a quarter from any one network and from all busy ones together, and another quarter of a network's
from hooks that nobody knows to be short. What is left of a wait is then the time of a short hook.

Everything is in memory and of this process: after a restart all begin alike.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

HALF_LIFE = 60.0  #: seconds after which half of what was used is forgotten
BUSY = 5.0  #: CPU seconds lately from which a network is a busy one
SHORT = 0.2  #: CPU seconds: what a hook of a referee usually stays below, and a spinning one not
PROVEN = 5  #: hooks that an account had before one it never had is expected to be short, too
RECENT = 4  #: hooks over which what is usual is averaged
WAITING = 0.125  #: CPU seconds that each second costs in which a place is held and nothing is done
LEAST = 4  #: places a server should have; of fewer none can be kept free
REMEMBERED = 10_000  #: accounts, and networks
JOBS = 64  #: of an account whose usual cost is remembered

_K = TypeVar("_K", bound=Hashable)


class Owner(NamedTuple):
    """Who pays for a worker: an account, and a name for the network of the browser in which it
    signed in (`Addresses.mark` of the proxy)."""

    account: str
    network: str = ""


SERVER = Owner("")  #: the server's own work: first in the queue, and may hold every place


@dataclass(eq=False)
class Place:
    """The right to one worker. ``short``: it was taken for a hook known to be short."""

    owner: Owner
    job: Hashable
    since: float
    short: bool


class _Use:
    """What somebody has used: CPU seconds that fade, and what is running now."""

    def __init__(self) -> None:
        self.running: set[Place] = set()
        self._spent = self._at = 0.0

    def lately(self, now: float) -> float:
        """CPU seconds; what is still running counts in full until it is measured."""
        return self._faded(now) + sum(now - place.since for place in self.running)

    def add(self, cost: float, now: float) -> None:
        self._spent, self._at = self._faded(now) + cost, now

    def _faded(self, now: float) -> float:
        return self._spent * math.exp2((self._at - now) / HALF_LIFE)


_U = TypeVar("_U", bound=_Use)


@dataclass
class _Habit:
    """What a hook usually costs."""

    count: int = 0
    cost: float = 0.0

    def learn(self, cost: float) -> None:
        self.count += 1
        self.cost += (cost - self.cost) / min(self.count, RECENT)


class _Account(_Use):
    def __init__(self) -> None:
        super().__init__()
        self._all = _Habit()
        self._jobs: OrderedDict[Hashable, _Habit] = OrderedDict()

    def short(self, job: Hashable) -> bool:
        """Whether this hook is expected to be short: it was before, or all others were."""
        habit = self._jobs.get(job)
        if habit is None:
            return self._all.count >= PROVEN and self._all.cost <= SHORT
        return habit.cost <= SHORT

    def learn(self, job: Hashable, cost: float) -> None:
        self._all.learn(cost)
        self._jobs.setdefault(job, _Habit()).learn(cost)
        self._jobs.move_to_end(job)
        if len(self._jobs) > JOBS:
            self._jobs.popitem(last=False)


class _Turn(NamedTuple):
    came: int
    job: Hashable
    place: asyncio.Future[Place]


class _Group(NamedTuple):
    """Those who wait under the same limits. ``short`` as in `Place`."""

    server: bool
    network: str
    short: bool


class FairQueue:
    """Places for ``total`` workers at once."""

    def __init__(self, total: int, *, now: Callable[[], float] = time.monotonic) -> None:
        part = total // 4
        self._free = total
        self._most_of_account = max(1, total // 2)
        self._most_of_network = total - part
        self._most_of_newcomers = total - 2 * part
        self._now = now
        self._came = 0
        self._held: set[Place] = set()  #: by others than the server itself
        self._waiting: dict[_Group, dict[Owner, deque[_Turn]]] = {}
        self._accounts: OrderedDict[Owner, _Account] = OrderedDict()
        self._networks: OrderedDict[str, _Use] = OrderedDict()

    async def take(self, owner: Owner, job: Hashable = None) -> Place:
        """Return when ``owner`` has a place. Cancelling gives up its turn. ``job`` is what is to be
        done, equal for what will cost the same: a hook of a source."""
        self._came += 1
        turn = _Turn(self._came, job, asyncio.get_running_loop().create_future())
        group = _Group(owner == SERVER, owner.network, self._account(owner).short(job))
        self._waiting.setdefault(group, {}).setdefault(owner, deque()).append(turn)
        self._next()
        try:
            return await turn.place
        except asyncio.CancelledError:
            if turn.place.done() and not turn.place.cancelled():
                self.give(turn.place.result(), 0.0)  # it did not live to use it
            elif turn in self._waiting.get(group, {}).get(owner, ()):
                self._leave(group, owner, turn)
            raise

    def give(self, place: Place, cpu: float | None) -> None:
        """Give a place back; whoever may have it next is woken. ``cpu``: seconds of CPU that its
        worker has used, None when nobody could measure them."""
        self._free += 1
        if place.owner != SERVER:
            self._charge(place, cpu)
        self._next()

    def _charge(self, place: Place, cpu: float | None) -> None:
        now = self._now()
        held = now - place.since
        cost = held if cpu is None else max(cpu, held * WAITING)
        account, network = self._remembered(place.owner)
        for use in (account, network):
            use.running.discard(place)
            use.add(cost, now)
        account.learn(place.job, cost)
        self._held.discard(place)

    def _next(self) -> None:
        while self._free and (chosen := self._choose()) is not None:
            group, owner = chosen
            turn = self._waiting[group][owner][0]
            self._leave(group, owner, turn)
            if not turn.place.cancelled():  # else its taker has not heard of that yet
                turn.place.set_result(self._hold(owner, turn.job, short=group.short))

    def _leave(self, group: _Group, owner: Owner, turn: _Turn) -> None:
        owners = self._waiting[group]
        owners[owner].remove(turn)
        if not owners[owner]:
            del owners[owner]
        if not owners:
            del self._waiting[group]

    def _hold(self, owner: Owner, job: Hashable, *, short: bool) -> Place:
        self._free -= 1
        place = Place(owner, job, self._now(), short)
        if owner != SERVER:
            for use in self._remembered(owner):
                use.running.add(place)
            self._held.add(place)
        return place

    def _choose(self) -> tuple[_Group, Owner] | None:
        """Whose turn it is of those who may have a place now."""
        now = self._now()
        held = Counter(place.owner.network for place in self._held)
        crowd = sum(count for name, count in held.items() if self._is_busy(name, now))
        may = [
            (group, owner)
            for group, owners in self._waiting.items()
            if group.server or self._may(group, crowd, now)
            for owner in owners
            if group.server or len(self._account(owner).running) < self._most_of_account
        ]
        return min(may, key=lambda one: self._order(one[0], one[1], now), default=None)

    def _may(self, group: _Group, crowd: int, now: float) -> bool:
        """``crowd``: how many places all busy networks hold together."""
        theirs = self._network(group.network).running
        newcomers = sum(not place.short for place in theirs)
        if not group.short and newcomers >= self._most_of_newcomers:
            return False
        held = crowd if self._is_busy(group.network, now) else len(theirs)
        return held < self._most_of_network

    def _order(self, group: _Group, owner: Owner, now: float) -> tuple[bool, float, float, int]:
        used = (self._network(group.network).lately(now), self._account(owner).lately(now))
        return (not group.server, *used, self._waiting[group][owner][0].came)

    def _is_busy(self, network: str, now: float) -> bool:
        return self._network(network).lately(now) >= BUSY

    def _account(self, owner: Owner) -> _Account:
        """To read: whoever was never seen has used nothing."""
        return self._accounts.get(owner, _NOBODY)

    def _network(self, name: str) -> _Use:
        return self._networks.get(name, _NOBODY)

    def _remembered(self, owner: Owner) -> tuple[_Account, _Use]:
        """To write: remembered from now on; whoever was not here for longest is forgotten."""
        account = self._accounts.setdefault(owner, _Account())
        network = self._networks.setdefault(owner.network, _Use())
        self._accounts.move_to_end(owner)
        self._networks.move_to_end(owner.network)
        _forget(self._accounts)
        _forget(self._networks)
        return account, network


def _forget(kept: OrderedDict[_K, _U]) -> None:
    for name in list(itertools.islice(kept, max(0, len(kept) - REMEMBERED))):
        if not kept[name].running:
            del kept[name]


_NOBODY = _Account()
