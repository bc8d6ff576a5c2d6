"""No entry can be left out, doubled, moved, split or stripped, but where nothing follows from it.

Every such change of finished games, numbered, chained and signed again with the server's own key.
`FREE` is what passes, with the reason; docs/trust.md says it in words.
"""

from __future__ import annotations

import copy
import random
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio

from mcp_multiplayer.verifier.executor import Executor
from tests.sample import sample
from tests.verifier.games import KEY, Bundle, codes, inserted, reforge, verify, violations, without
from tests.verifier.matches import replayer, world
from tests.verifier.records import KINDS, NEXT

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: What passes, by what was done to which type of entry, or to which step of several.
FREE = {
    "drop msg",  # the last of its author, and ignored by all referees: only the author knows
    "drop takeover",  # of a seat whose account nothing depends on later
    "drop key",  # the old key may go on signing
    "swap key/msg",  # when the server took up the new key
    "swap msg/accept",  # words that nobody answered, and consent, arrive in either order
    "twice propose",  # the same proposal again changes nothing
    # An invite that nobody used, and a name, as they were asked for: only who asked knows of it.
    "drop ask+invite+rename",
    "twice ask+invite+rename",  # the same name again, and the same invite voids nothing
    "swap ask+invite+rename/key",  # when the server took up the new key
    "strip attach.isolation",  # the server's word about its own walls
    "strip attach.ref",  # that the source is one of those shipped
}

#: Of these, what the games here have no entry for, or none of which nothing depends.
NOT_HERE = {"drop takeover", "twice propose"}

Change = Callable[[Bundle], Any]


@pytest.fixture(scope="module")
def judge() -> Iterator[Executor]:
    with replayer() as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def played(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, Bundle]]:
    async with world(tmp_path_factory.mktemp("tls")) as house:
        yield {kind: await KINDS[kind](house, random.Random(kind)) for kind in ("guess", "change")}


def _drop(place: int) -> Change:
    def change(f: Bundle) -> None:
        without(f, place)
        f.openings.clear()

    return change


def _twice(place: int) -> Change:
    return lambda f: inserted(f, place + 1, copy.deepcopy(f.entries[place]))


def _swap(place: int) -> Change:
    def change(f: Bundle) -> None:
        one, two = f.entries[place : place + 2]
        f.entries[place : place + 2] = [two, one]

    return change


def _drop_step(start: int, end: int) -> Change:
    def change(f: Bundle) -> None:
        without(f, start, end - start)
        f.openings.clear()

    return change


def _twice_step(start: int, end: int) -> Change:
    def change(f: Bundle) -> None:
        for place in range(start, end):
            inserted(f, place + end - start, copy.deepcopy(f.entries[place]))

    return change


def _swap_steps(start: int, middle: int, end: int) -> Change:
    def change(f: Bundle) -> None:
        f.entries[start:end] = f.entries[middle:end] + f.entries[start:middle]

    return change


def steps(entries: list[dict[str, Any]]) -> list[tuple[int, int]]:
    """Where each step begins and ends: what was asked for, and all that came of it."""
    ends = [place + 1 for place, entry in enumerate(entries) if not entry.get("more")]
    return list(zip([0, *ends], ends, strict=False))


def of_steps(honest: Bundle) -> Iterator[tuple[str, Change]]:
    """What can be done to a step of several entries as a whole, but to the first, and to drop the
    last, which makes an earlier record of it."""
    spans = steps(honest.entries)
    names = ["+".join(entry["t"] for entry in honest.entries[a:b]) for a, b in spans]
    for number, (start, end) in enumerate(spans[1:-1], 1):
        after = spans[number + 1][1]
        if end - start > 1:
            yield f"drop {names[number]}", _drop_step(start, end)
            yield f"twice {names[number]}", _twice_step(start, end)
        if after - start > 2:
            yield f"swap {names[number]}/{names[number + 1]}", _swap_steps(start, end, after)


def _split(place: int) -> Change:
    def change(f: Bundle) -> None:
        entry = f.entries[place]
        if entry.pop("more", None) is None:
            entry["more"] = True

    return change


def _strip(place: int, *path: str) -> Change:
    def change(f: Bundle) -> None:
        where = f.entries[place]
        for name in path[:-1]:
            where = where[name]
        del where[path[-1]]

    return change


def _list(place: int, name: str, do: Callable[[list[Any]], Any]) -> Change:
    return lambda f: do(f.entries[place][name])


def changes(honest: Bundle) -> Iterator[tuple[str, Change]]:
    """Every change, with its name."""
    yield from of_steps(honest)
    for place, entry in enumerate(honest.entries):
        kind = entry["t"]
        yield f"split {kind}", _split(place)
        if place:
            yield f"drop {kind}", _drop(place)
            yield f"twice {kind}", _twice(place)
            if place + 1 < len(honest.entries):
                yield f"swap {kind}/{honest.entries[place + 1]['t']}", _swap(place)
        for name, value in entry.items():
            if name not in ("i", "t", "p", "more", "origin"):
                yield f"strip {kind}.{name}", _strip(place, name)
                yield from _inside(place, f"{kind}.{name}", name, value)


def _inside(place: int, where: str, name: str, value: Any) -> Iterator[tuple[str, Change]]:
    if isinstance(value, dict):
        for inner in value:
            yield f"strip {where}.{inner}", _strip(place, name, inner)
        yield f"add {where}", lambda f: f.entries[place][name].update(zzz=1)
    elif isinstance(value, list) and value:
        yield f"pop {where}", _list(place, name, lambda items: items.pop())
        yield f"repeat {where}", _list(place, name, lambda items: items.append(items[0]))
        if value != value[::-1]:
            yield f"reverse {where}", _list(place, name, lambda items: items.reverse())


def passing(honest: Bundle, chosen: list[tuple[str, Change]], judge: Executor) -> set[str]:
    found = set()
    for name, change in chosen:
        forged = honest.copy()
        change(forged)
        reforge(forged, NEXT if forged.of("key") else KEY)
        if forged.entries == honest.entries:
            continue
        checked = verify(forged, judge)
        assert "E_UNFORESEEN" not in codes(checked), (name, checked.findings.found)
        if not violations(checked):
            found.add(name)
    return found


@pytest.mark.parametrize("kind", sample(["guess", "change"], ()))
async def test_a_record_has_one_shape(
    played: dict[str, Bundle], judge: Executor, kind: str
) -> None:
    chosen = random.Random(kind).sample([*changes(played[kind])], 40)
    assert passing(played[kind], chosen, judge) <= FREE


@pytest.mark.long
async def test_every_record_has_one_shape_but_where_it_is_free(
    played: dict[str, Bundle], judge: Executor
) -> None:
    found = {kind: passing(game, [*changes(game)], judge) for kind, game in played.items()}
    assert set().union(*found.values()) == FREE - NOT_HERE
