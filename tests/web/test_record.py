"""static/record.js on games of this server: it reads what members read, finds nothing wrong with
honest records, and something with each that was changed by whoever has no key."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from mcp_multiplayer.service import export
from mcp_multiplayer.service.hook_io import message_json
from mcp_multiplayer.service.replica import Replica
from tests.sample import sample
from tests.verifier import (
    forgeries_dice,
    forgeries_play,
    forgeries_room,
    forgeries_unsigned,
    forgeries_words,
)
from tests.verifier.forging import ATTACKS, NOT_PROVEN
from tests.verifier.games import KEY, Bundle, reforge
from tests.verifier.keep_record import RECORDS
from tests.verifier.matches import PRESETS, World, match, world
from tests.verifier.records import KINDS, NEXT, shipped
from tests.web.readers import Told, states, told
from tests.web.serving import Served, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

assert (  # they fill the list
    forgeries_dice and forgeries_play and forgeries_room and forgeries_unsigned and forgeries_words
)
UNSIGNED = {attack.name: attack for attack in ATTACKS if not attack.resign}
ALWAYS = {attack.code: attack.name for attack in reversed(UNSIGNED.values())}.values()


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving() as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with world(tmp_path_factory.mktemp("tls")) as made:
        yield made


class Played:
    """Finished games of the kinds that are forged, each played when it is first asked for."""

    def __init__(self, house: World) -> None:
        self._house = house
        self._kept: dict[str, Bundle] = {}

    async def __call__(self, kind: str) -> Bundle:
        if kind not in self._kept:
            self._kept[kind] = await KINDS[kind](self._house, random.Random(f"{kind} 0"))
        return self._kept[kind]


@pytest.fixture(scope="module")
def played(house: World) -> Played:
    return Played(house)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page(browser: Browser, served: Served) -> AsyncIterator[Page]:
    """A page that has our modules; who only asks them leaves nothing behind in it."""
    made = await browser.new_page()
    await made.goto(served.base + "/empty.html")
    yield made
    await made.close()


def room_of(house: World, game: Bundle) -> Replica:
    return house.channels.room(game.entries[0]["origin"].rpartition("/")[2])


def file(room: Replica, who: str | None) -> bytes:
    """The file of a member, or of somebody who only watches."""
    seat = None if who is None else room.channel.seat(who)
    names = frozenset({who}) if who is not None else frozenset[str]()
    reader = export.Reader(names, seat.since if seat else 0, private=True)
    return export.write(room, room.channel, room.last_head(), reader)


def shown(room: Replica, who: str | None) -> list[dict[str, Any]]:
    """The messages as the API gives them to the same reader."""
    seat = None if who is None else room.channel.seat(who)
    names = frozenset({who}) if who is not None else frozenset[str]()
    since = seat.since if seat else 0
    found = room.messages_after(0, 1_000_000)
    return [message_json(room.channel_id, room.shown(one, names, since=since)) for one in found]


async def check_reader(page: Page, room: Replica, who: str | None) -> Told:
    read = await told(page, file(room, who))
    assert "refused" not in read, read
    assert read["messages"] == shown(room, who)
    assert read["result"] == room.channel.result
    attached = [one for one in read["bots"] if "until" not in one]
    assert attached == [
        {
            "bot_id": bot.id,
            "name": bot.name,
            "version": bot.version,
            "code_hash": bot.code_hash,
            "manifest": dict(bot.manifest),
            "params": dict(bot.params),
            "since": bot.at,
        }
        for bot in room.channel.bots
    ]
    found = states(read)
    assert "bad" not in found.values(), read["lines"]
    assert found["CHAIN"] == found["SIGNATURE"] == "ok"
    assert found["SOURCES"] == ("ok" if read["bots"] else "absent")
    assert found["RULES"] == "absent"
    return read


@pytest.mark.parametrize("preset", sample(PRESETS, ["DealBot"]))
async def test_a_preset_s_record_reads_like_its_room(page: Page, house: World, preset: str) -> None:
    game = await shipped(house, preset, random.Random(preset))
    for who in (None, "alice", "bob"):
        await check_reader(page, room_of(house, game), who)


@pytest.mark.parametrize("kind", sample(KINDS, ["coin", "wild"]))
async def test_a_game_with_everything_reads_like_its_room(
    page: Page, house: World, played: Played, kind: str
) -> None:
    game = await played(kind)
    if kind == "change":  # its room has another key than the others
        house.keys = (NEXT, KEY)
        house.restart()
    for who in (None, "bob"):
        read = await check_reader(page, room_of(house, game), who)
        if kind in ("coin", "wild") and who:
            assert states(read)["SEALED"] == states(read)["PROMISES"] == "ok"
    if kind == "change":
        house.keys = (KEY,)
        house.restart()


@pytest.mark.long
@pytest.mark.parametrize("seed", range(40))
async def test_random_games_read_like_their_rooms(page: Page, house: World, seed: int) -> None:
    """Whatever members do, with referees that do everything; nobody is accused."""
    game = await match(house, seed, random.Random(seed).choice([None, *PRESETS]), moves=30)
    for who in (None, "alice", "bob"):
        await check_reader(page, game.room, who)


async def test_erased_words_leave_the_rest_as_it_was(page: Page, house: World) -> None:
    game = await (await house.open("GuessBot")).seated()
    for who in ("alice", "bob"):
        await game.say(who, "guess 50")
    (place, *_) = (entry["i"] for entry in game.bundle().of("msg"))
    await game.erase(place)
    await game.say("alice", "concede")
    read = await told(page, game.bundle().without_words(place).zip())
    assert "bad" not in states(read).values(), read
    assert "Of 1 entry the words were erased" in read["lines"][0]["text"]
    expected = shown(game.room, None)
    for message in expected:
        if message["entry"] == place:
            message["body"] = {"erased": True}
    assert read["messages"] == expected
    without = game.bundle().without_words(place + 1)  # of which no entry says what is left
    found = await told(page, without.zip())
    assert found["lines"][0]["state"] == "absent" and "missing" in found["lines"][0]["text"]
    assert "bad" not in states(found).values()
    assert found["messages"] == [one for one in shown(game.room, None) if one["entry"] <= place]


@pytest.mark.parametrize("path", sorted(RECORDS.glob("*.zip")), ids=lambda path: path.stem)
async def test_a_record_of_an_earlier_release_is_read(page: Page, path: Any) -> None:
    read = await told(page, path.read_bytes())
    assert "bad" not in states(read).values(), read
    assert states(read)["CHAIN"] == states(read)["SIGNATURE"] == "ok"


#: What a server can sign, and what needs no referee to be found: every forgery of these codes.
PLAIN = {"E_BLOB", "E_KEY", "E_MORE", "E_SEED", "E_TS"}
SIGNED = [attack.name for attack in ATTACKS if attack.resign and attack.code in PLAIN]


@pytest.mark.long
@pytest.mark.parametrize("name", SIGNED)
async def test_what_a_server_signs_is_refused_where_hashes_tell(
    page: Page, played: Played, name: str
) -> None:
    attack = next(one for one in ATTACKS if one.name == name)
    forged = attack.on(await played(attack.kind), random.Random(name))
    assert "bad" in states(await told(page, forged.zip())).values()


@pytest.mark.long
@pytest.mark.alone
async def test_five_hundred_entries_take_no_time(page: Page, played: Played) -> None:
    game = (await played("guess")).copy()
    (word,) = [entry for entry in game.of("msg") if entry["m"]["b"]["text"].startswith("hello")]
    place = game.entries.index(word)
    for count in range(500 - len(game.entries)):
        said = {**word, "m": {**word["m"], "c": 100 + count, "b": {"text": f"word {count} " * 9}}}
        game.entries.insert(place + 1, {**said, "ts": word["ts"]})
    reforge(game)
    await told(page, game.zip())  # the first time it is compiled
    taken = sorted([(await told(page, game.zip()))["seconds"] for _ in range(9)])
    assert taken[0] <= 0.1, taken


@pytest.mark.parametrize("name", sample(UNSIGNED, ALWAYS))
async def test_what_was_changed_without_a_key_is_refused(
    page: Page, played: Played, name: str
) -> None:
    attack = UNSIGNED[name]
    forged = attack.on(await played(attack.kind), random.Random(name))
    found = states(await told(page, forged.zip()))
    if attack.state == NOT_PROVEN:  # nobody is accused there, and nothing called good
        assert "bad" not in found.values()
        assert "absent" in (found["CHAIN"], found["SIGNATURE"])
    else:
        assert "bad" in found.values(), found
