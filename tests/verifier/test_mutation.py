"""Nothing in a record can be changed unseen, but for the list in docs/trust.md.

First without a key: every byte of every entry, every bit of the checkpoint. Then every scalar of
a finished game, chained and signed again with the server's own key; what passes then is
listed in docs/trust.md under "What a server with its key can still write as it likes", and
that list is held here against what passes.
"""

from __future__ import annotations

import copy
import random
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mcp_multiplayer.transcript.canonical_json import canonical
from mcp_multiplayer.verifier.executor import Executor
from tests.sample import sample
from tests.verifier.games import KEY, Bundle, codes, reforge, verify, violations
from tests.verifier.matches import World, replayer, world
from tests.verifier.records import KINDS, NEXT

pytestmark = pytest.mark.asyncio(loop_scope="module")
TRUST = Path(__file__).parent.parent.parent / "docs" / "trust.md"
TITLE = "## What a server with its key can still write as it likes"


@pytest.fixture(scope="module")
def judge() -> Iterator[Executor]:
    with replayer() as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def played(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, Bundle]]:
    """One finished game of each kind."""
    async with world(tmp_path_factory.mktemp("tls")) as house:
        yield await _played(house)


async def _played(house: World) -> dict[str, Bundle]:
    return {
        kind: await play(house, random.Random(f"mutate {kind}")) for kind, play in KINDS.items()
    }


# --- without a key -------------------------------------------------------------------------


def refused(forged: Bundle, what: object) -> None:
    """Found out before anything is executed, and not because the verifier broke."""
    checked = verify(forged, execute=False)
    assert violations(checked) and "E_UNFORESEEN" not in codes(checked), what
    assert checked.exit_code == 1


def flip_bytes(honest: Bundle, places: Iterator[tuple[int, int]], rng: random.Random) -> int:
    """Flip a bit in each of these bytes; return how many were tried."""
    count = 0
    lines = [canonical(entry) for entry in honest.entries]
    forged = copy.copy(honest)
    for entry, byte in places:
        line = bytearray(lines[entry])
        line[byte] ^= 1 << rng.randrange(8)
        forged.lines = [*lines[:entry], bytes(line), *lines[entry + 1 :]]
        refused(forged, (entry, byte, bytes(line)))
        count += 1
    return count


def everywhere(honest: Bundle) -> Iterator[tuple[int, int]]:
    for index, entry in enumerate(honest.entries):
        for byte in range(len(canonical(entry))):
            yield index, byte


@pytest.mark.parametrize("kind", sample(["guess", "wild"], ()))
async def test_a_flipped_byte_of_an_entry_is_seen(played: dict[str, Bundle], kind: str) -> None:
    rng = random.Random(kind)
    places = rng.sample([*everywhere(played[kind])], 200)
    assert flip_bytes(played[kind], iter(places), rng) == 200


@pytest.mark.long
@pytest.mark.parametrize("kind", ["guess", "wild", "coin"])
async def test_every_flipped_byte_of_every_entry_is_seen(
    played: dict[str, Bundle], kind: str
) -> None:
    honest = played[kind]
    count = flip_bytes(honest, everywhere(honest), random.Random(kind))
    assert count == sum(len(canonical(entry)) for entry in honest.entries)


def flip_bits(honest: Bundle, bits: Iterator[int]) -> None:
    data = (honest.checkpoint or "").encode()
    forged = copy.copy(honest)
    for bit in bits:
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        members = {**honest.members(), "checkpoint": bytes(flipped)}
        forged = _Members(members)
        refused(forged, (bit, bytes(flipped)))


class _Members(Bundle):
    """A file of these members."""

    def __init__(self, members: dict[str, bytes]) -> None:
        self._members = members

    def members(self) -> dict[str, bytes]:
        return self._members


async def test_a_flipped_bit_of_the_checkpoint_is_seen(played: dict[str, Bundle]) -> None:
    honest = played["guess"]
    bits = random.Random(1).sample(range(8 * len((honest.checkpoint or "").encode())), 120)
    flip_bits(honest, iter(bits))


@pytest.mark.long
@pytest.mark.parametrize("kind", ["guess", "change"])
async def test_every_flipped_bit_of_the_checkpoint_is_seen(
    played: dict[str, Bundle], kind: str
) -> None:
    honest = played[kind]
    flip_bits(honest, iter(range(8 * len((honest.checkpoint or "").encode()))))


# --- with the server's own key ---------------------------------------------------------------


@dataclass(frozen=True)
class Scalar:
    """One value in one entry, by its path."""

    entry: int
    path: tuple[str | int, ...]

    def name(self, honest: Bundle) -> str:
        """As in docs/trust.md: type of the entry and names on the way, places left out."""
        entry = honest.entries[self.entry]
        names = [str(step) for step in self.path if isinstance(step, str)]
        if names == ["ts"]:
            return "entry.ts"
        if entry["t"] == "msg" and "b" in names:
            names = ["m", "b"]
        return ".".join([entry["t"], *names])


def scalars(honest: Bundle) -> Iterator[Scalar]:
    for index, entry in enumerate(honest.entries):
        for name, value in entry.items():
            if name not in ("i", "p"):  # forging numbers and chains again
                yield from (Scalar(index, path) for path in _paths(value, (name,)))


def _paths(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, dict | list):
        inside = value.items() if isinstance(value, dict) else enumerate(value)
        for step, item in inside:
            yield from _paths(item, (*path, step))
    else:
        yield path


def others(value: Any, rng: random.Random) -> list[Any]:
    """Other values: near, of the same form, and of another kind."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, max(value - 1, 0) if value else 7]
    if isinstance(value, float):
        return [value + 1.0]
    if isinstance(value, str):
        return _texts(value, rng)
    return [1]


def _texts(value: str, rng: random.Random) -> list[str]:
    if not value:
        return ["x"]
    place = rng.randrange(len(value))
    digits = re.fullmatch("[0-9a-f]+", value.removeprefix("sha256:"))
    letters = "0123456789abcdef" if digits else "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghij"
    if value.startswith("sha256:"):
        place = max(place, 7)
    letter = rng.choice([one for one in letters if one != value[place]])
    found = [value[:place] + letter + value[place + 1 :], value + "x"]
    if digit := re.search("[0-9](?=[^0-9]*$)", value):  # another number, of the same form
        number = str((int(digit.group()) + 1) % 10)
        found.append(value[: digit.start()] + number + value[digit.end() :])
    if value.startswith("builtin://"):  # whose middle a letter at random seldom meets
        found.append("builtin://OtherBot")
    return found


def change(honest: Bundle, scalar: Scalar, value: Any) -> Bundle:
    """The record with another value in one place, and all hashes and signatures made again."""
    forged = honest.copy()
    where: Any = forged.entries[scalar.entry]
    for step in scalar.path[:-1]:
        where = where[step]
    where[scalar.path[-1]] = value
    return reforge(forged, NEXT if forged.of("key") else KEY)


def at(honest: Bundle, scalar: Scalar) -> Any:
    value: Any = honest.entries[scalar.entry]
    for step in scalar.path:
        value = value[step]
    return value


def passing(
    honest: Bundle, chosen: Iterator[Scalar], judge: Executor, rng: random.Random
) -> dict[str, list[tuple[Scalar, Any]]]:
    """What can be changed without any violation, by its name."""
    found: dict[str, list[tuple[Scalar, Any]]] = {}
    for scalar in chosen:
        for value in others(at(honest, scalar), rng):
            if value == at(honest, scalar):
                continue
            checked = verify(change(honest, scalar, value), judge)
            assert "E_UNFORESEEN" not in codes(checked), (scalar, value, checked.findings.found)
            if not violations(checked) and "I_FORMAT" not in codes(checked):  # then all is unproven
                found.setdefault(scalar.name(honest), []).append((scalar, value))
    return found


def listed() -> set[str]:
    """The fields that docs/trust.md says a server can write as it likes."""
    section = TRUST.read_text().partition(TITLE)[2].partition("\n## ")[0]
    assert section
    return set(re.findall(r"`([a-z]+(?:\.[a-z_]+)+)`", section))


@pytest.mark.parametrize("kind", sample(["guess", "coin", "change"], {"coin"}))
async def test_a_server_can_change_nothing_but_what_is_listed(
    played: dict[str, Bundle], judge: Executor, kind: str
) -> None:
    rng = random.Random(kind)
    chosen = rng.sample([*scalars(played[kind])], 10)
    found = passing(played[kind], iter(chosen), judge, rng)
    assert found.keys() <= listed(), found


@pytest.mark.long
async def test_what_a_server_can_change_is_exactly_what_is_listed(
    played: dict[str, Bundle], judge: Executor
) -> None:
    """Every scalar of a game of each kind; and nothing is listed without need."""
    free: dict[str, list[tuple[Scalar, Any]]] = {}
    for honest in played.values():
        free |= passing(honest, scalars(honest), judge, random.Random(1))
    assert free.keys() == listed(), {name: free[name] for name in free.keys() - listed()}


async def test_who_holds_an_invite_sees_another_beginning(
    played: dict[str, Bundle], judge: Executor
) -> None:
    """What a server can write as it likes in the first entries, it can until an invite is out."""
    honest = played["guess"]
    invite = next(iter(honest.invites.values()))
    assert not violations(verify(honest, judge, invites=[invite]))
    for scalar in scalars(honest):
        if scalar.entry < 2 and scalar.name(honest) in listed():
            for value in others(at(honest, scalar), random.Random(1)):
                checked = verify(change(honest, scalar, value), execute=False, invites=[invite])
                assert violations(checked), (scalar, value)
