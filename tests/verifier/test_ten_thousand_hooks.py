"""Ten thousand hooks, of every preset and of three hundred odd bots, come to the same byte for byte
on a server and in a verifier: by another patch version of Python, as another user, in another
environment, with half and with twice the memory.

"Long" are all; a few of the odd are always run again.
"""

from __future__ import annotations

import asyncio
import base64
import json
import pickle
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import pytest
import pytest_asyncio

from mcp_multiplayer.sandbox.call import Failed, HookCall, HookResult
from mcp_multiplayer.sandbox.host.determinism_check import receipt
from tests.verifier import hooks_abroad
from tests.verifier.matches import HOOK, PRESETS, World, match, world
from tests.verifier.odd_bots import ODD
from tests.verifier.test_elsewhere import Abroad, abroad

__all__ = ["abroad"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

HOOKS, OF_PRESETS = 10_000, 8_000
#: Where time, memory or a disk ends, no two machines agree: such a hook proves nothing (I_LIMIT).
ENDS = ("TimeLimit", "MemoryLimit", "WorkspaceLimit", "Crashed")
#: What Python 3.11.2 and 3.11.7 do not agree about, by name; the runtime that a log names differs,
#: too, so it accuses nobody (I_RUNTIME).
BY_VERSION: set[str] = set()
MEMORY = HOOK.memory


def ended(result: HookResult) -> bool:
    """By the clock, by memory, by a kill?"""
    return isinstance(result, Failed) and (result.killed or result.error in ENDS)


@dataclass(frozen=True)
class Hook:
    """One that ran on the server."""

    name: str
    call: HookCall
    result: HookResult

    @property
    def ended(self) -> bool:
        return ended(self.result)

    def line(self) -> str:
        """As `hooks_abroad` reads it."""
        call = asdict(self.call) | {"key": self.call.key.hex()}
        encoded = [
            [one.kind, *(base64.b64encode(blob).decode() for blob in (one.request, one.response))]
            for one in self.result.effects
        ]
        return json.dumps({"call": call, "effects": encoded}) + "\n"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with world(tmp_path_factory.mktemp("tls")) as made:
        yield made


async def of_presets(house: World, count: int, monkeypatch: pytest.MonkeyPatch) -> list[Hook]:
    """So many hooks of games at random, as many games of each preset."""
    ran: list[Hook] = []
    run = house.pool.run

    async def kept(call: HookCall, **more: Any) -> HookResult:
        result = await run(call, **more)
        ran.append(Hook("preset", call, result))
        return result

    with monkeypatch.context() as patched:
        patched.setattr(house.pool, "run", kept)
        seed = 0
        while len(ran) < count:
            for preset in PRESETS:
                await match(house, seed, preset, 14)
            seed += 1
    return ran[:count]


def odd(names: list[str], count: int) -> Iterator[tuple[str, HookCall]]:
    """So many calls of these bots, each time with other dice, at another time, before others."""
    for number in range(count):
        name = names[number % len(names)]
        key = number.to_bytes(32, "big")
        yield (
            name,
            HookCall(
                ODD[name],
                "on_init",
                params={"number": number},
                state={"turns": number},
                players=("alice", "bob", "carol")[: number % 3 + 1],
                now=1.7e9 + number,
                bot_id="bot:odd",
                key=key,
            ),
        )


async def of_odd(house: World, names: list[str], count: int) -> list[Hook]:
    """What ends by a limit is run once: it takes its time."""
    ran: list[Hook] = []
    ended: set[str] = set()
    for name, call in odd(names, count):
        if name in ended:
            continue
        ran.append(Hook(name, call, await house.pool.run(call)))
        if ran[-1].ended:
            ended.add(name)
    return ran


class Place:
    """Where hooks are run again."""

    def __init__(self, abroad: Abroad, python: str, memory: int, nobody: bool) -> None:
        shutil.copy(str(hooks_abroad.__file__), abroad.place)
        self._command = [
            *(python, "-I", "-S", str(abroad.place / "hooks_abroad.py")),
            *(str(abroad.libraries), str(memory)),
        ]
        who: dict[str, Any] = {"user": 65534, "group": 65534, "extra_groups": []}
        self._who = who if nobody else {}

    def differing(self, hooks: list[Hook]) -> list[tuple[Hook, HookResult]]:
        """Which of them come to something else there, and to what."""
        limits = json.dumps(asdict(replace(HOOK, hook_seconds=10.0))) + "\n"
        done = subprocess.run(
            self._command,
            input=limits + "".join(hook.line() for hook in hooks),
            env={"PATH": "/usr/bin:/bin", "LANG": "C", "TZ": "Asia/Tokyo", "PYTHONHASHSEED": "9"},
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            **self._who,
        )
        assert done.returncode == 0, done.stderr
        told = [pickle.loads(base64.b64decode(line)) for line in done.stdout.splitlines()]
        return [
            (hook, result)
            for hook, result in zip(hooks, told, strict=True)
            if receipt(hook.call, result) != receipt(hook.call, hook.result)
            and not (hook.ended or ended(result))
        ]


def places(abroad: Abroad) -> tuple[Place, Place]:
    """Another Python as nobody with half the memory; ours with twice of it."""
    return (
        Place(abroad, abroad.python, MEMORY // 2, nobody=True),
        Place(abroad, sys.executable, MEMORY * 2, nobody=False),
    )


async def compared(abroad: Abroad, hooks: list[Hook]) -> tuple[Counter[str], Counter[str]]:
    """How often what differs there, by name: with another Python, and with ours."""
    found = await asyncio.gather(
        *(asyncio.to_thread(place.differing, hooks) for place in places(abroad))
    )
    for hook, result in (one for differing in found for one in differing[:20]):
        sys.stdout.write(f"{hook.name}\n   {hook.result}\n   {result}\n")  # when a test fails
    another, ours = (Counter(hook.name for hook, _ in differing) for differing in found)
    return another, ours


async def test_odd_hooks_come_to_the_same_elsewhere(house: World, abroad: Abroad) -> None:
    hooks = await of_odd(house, sorted(ODD)[::8], len(ODD) // 8)
    another, ours = await compared(abroad, hooks)
    assert not ours
    assert another.keys() <= BY_VERSION


@pytest.mark.long
async def test_ten_thousand_hooks_come_to_the_same_elsewhere(
    house: World, abroad: Abroad, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(ODD) >= 200
    hooks = await of_presets(house, OF_PRESETS, monkeypatch)
    hooks += await of_odd(house, sorted(ODD), HOOKS - OF_PRESETS + 1500)
    assert len(hooks) >= HOOKS
    another, ours = await compared(abroad, hooks)
    assert not ours
    assert another.keys() <= BY_VERSION
