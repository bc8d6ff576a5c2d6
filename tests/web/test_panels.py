"""The panels of a room as a browser draws them: found as the server finds them, each in its shape,
and any other value as text."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from mcp_multiplayer.edge.api import render_text
from mcp_multiplayer.edge.api.render_boards import items as items_of
from mcp_multiplayer.service import boards
from mcp_multiplayer.service.hook_io import message_json
from tests import npm
from tests.verifier.matches import PRESETS, World, match, world
from tests.web import games, stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

START = "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1"
MINE = ("chess.js", "elements.js", "feed.js", "moves.js", "panels.js")
DIGEST = hashlib.sha256(b"42ab").hexdigest()


@pytest.fixture
def page(scene: Page) -> Page:
    return scene


async def draw(page: Page, kind: str, value: Any, view: Any = None, **more: Any) -> None:
    item = {"bot_id": "x", "panel": kind, "value": value, "message": 1, **more}
    await page.evaluate("([item, view]) => made.panel(item, view ?? {})", [item, view])


async def find(page: Page, bot: Any, messages: Any) -> Any:
    return await page.evaluate("([bot, said]) => made.findPanels(bot, said)", [bot, messages])


# --- found as Python finds them ----------------------------------------------------------------


@pytest.mark.parametrize("file", games.FILES)
async def test_the_browser_finds_what_the_server_finds(page: Page, file: str) -> None:
    shown = 0
    for seed, reader in enumerate(("alice", "bob", "nobody", "alice")):
        game = await games.play(file, seed, moves=4 + 9 * seed, reader=reader)
        found = game.items()
        assert await find(page, game.bot, game.messages) == found
        shown += len(found)
    assert shown


NAMES = ("board", "type", "a", "__proto__", "constructor", "toString", "low")


def anything(chance: random.Random, depth: int = 0) -> Any:
    """A value of any shape."""
    kind = chance.randrange(9 if depth < 3 else 6)
    if kind < 6:
        return chance.choice([None, True, 0, -7, 3.5, "", "deal", "TS", "\u202e", 2**40])
    if kind < 7:
        return [anything(chance, depth + 1) for _ in range(chance.randrange(4))]
    return {chance.choice(NAMES): anything(chance, depth + 1) for _ in range(chance.randrange(4))}


def asked(chance: random.Random) -> dict[str, Any]:
    """A panel that a manifest may ask for."""

    def path() -> str:
        return ".".join(chance.choices(NAMES, k=chance.choice([1, 1, 2])))

    kind = chance.choice(["chess", "grid", "cards", "dice", "table", "text", "range", "hash"])
    panel: dict[str, Any] = {"panel": kind, "of": path()}
    more: dict[str, dict[str, Any]] = {
        "chess": {"last": path()},
        "grid": {"width": chance.randrange(1, 9)},
        "range": {"low": chance.choice([1, 2.5, "param:low"]), "high": "param:constructor"},
        "hash": {"open": {"text": path(), "salt": path()}},
    }
    if kind == "grid" or chance.random() < 0.8:
        panel |= more.get(kind, {})
    if chance.random() < 0.3:
        panel["in"] = chance.choice(["deal", "other"])
    if chance.random() < 0.3:
        panel["title"] = "A title"
    return panel


async def test_the_browser_finds_the_same_in_any_manifest_and_any_words(page: Page) -> None:
    chance, rows, expected = random.Random("panels"), [], []
    for _ in range(400):
        schema = {"properties": {"low": {"default": 1}, "constructor": {}}}
        about = {"show": [asked(chance) for _ in range(chance.randrange(1, 9))], "params": schema}
        params = {"low": anything(chance)} if chance.random() < 0.4 else {}
        bot = {"bot_id": "x", "manifest": about, "params": params, "since": 5}
        game = games.Recorded("", bot)
        for _ in range(chance.choice([0, 3, 9, 600 if chance.random() < 0.05 else 12])):
            body = {name: anything(chance) for name in chance.sample(NAMES, chance.randrange(6))}
            game.say(chance.choice(["bot:x", "bot:x", "bot:y", "alice"]), body)
        rows.append([bot, game.messages])
        expected.append(game.items())
    assert sum(map(len, expected)) > 300
    # As text, for on its own way the driver loses what is called __proto__.
    found = await page.evaluate(
        "(rows) => JSON.stringify(JSON.parse(rows).map((row) => made.findPanels(...row)))",
        json.dumps(rows),
    )
    assert json.loads(found) == expected


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with world(tmp_path_factory.mktemp("tls")) as made:
        yield made


@pytest.mark.long
@pytest.mark.parametrize("preset", sorted(PRESETS))
async def test_the_browser_finds_in_real_rooms_what_their_members_are_shown(
    page: Page, house: World, preset: str
) -> None:
    for seed in range(6):
        game = await match(house, seed, preset, moves=24)
        room = game.room
        for label in (*game.tokens, "nobody"):
            slot = room.channel.seat(label)
            names, since = frozenset({label}), 0 if slot is None else slot.since
            said = [
                message_json(room.channel_id, room.shown(one, names, since=since))
                for one in room.messages_after(0, room.channel.messages)
            ]
            for bot in room.channel.bots:
                about = {"bot_id": bot.id, "manifest": bot.manifest, "params": bot.params}
                found = await find(page, about | {"since": bot.at}, said)
                panels = dict(boards.of_room(room, names, since=since)).get(bot.id, [])
                assert found == items_of(bot.id, panels)


# --- in its shape ------------------------------------------------------------------------------


async def test_a_chess_board_names_every_square_and_says_whose_move_it_is(page: Page) -> None:
    fen = "rnbqkbnr/pppppppp/8/8/4P3/8/PPPP1PPP/RNBQKBNR b KQkq - 0 1"
    await draw(page, "chess", fen, last="e2e4")
    squares = page.get_by_role("button")
    await expect(squares).to_have_count(64)
    await expect(squares.first).to_have_accessible_name("a8: black rook")
    await expect(page.get_by_role("button", name="e4: white pawn, last move")).to_be_visible()
    await expect(page.get_by_role("button", name="e2: empty, last move")).to_be_visible()
    await expect(page.get_by_text("Black to move · last move e2–e4")).to_be_visible()
    assert await page.locator("[aria-disabled=true]").count() == 64


async def test_a_chess_board_is_seen_from_the_side_of_whoever_plays(page: Page) -> None:
    await draw(page, "chess", START.replace(" w ", " b "), {"moves": ["e5"]})
    assert await page.get_by_role("button").first.get_attribute("aria-label") == "h1: white rook"
    await page.evaluate("made.clear()")
    await draw(page, "chess", START, {"side": "b"})
    assert await page.get_by_role("button").first.get_attribute("aria-label") == "h1: white rook"


async def test_the_side_is_that_of_the_turn_that_one_had_alone(page: Page) -> None:
    game = await games.play("chess_bot.py", moves=3)
    sides = await page.evaluate(
        "([bot, said]) => ['alice', 'bob', 'carol'].map((you) => made.sideOf(bot, said, you))",
        [game.bot, game.messages],
    )
    assert sides == ["w", "b", None]


async def chess_moves(page: Page, fen: str, moves: list[str]) -> list[str]:
    return list(
        await page.evaluate(
            """async ([fen, moves]) => {
              const { readFen, readMoves } = await import("/static/chess.js");
              return readMoves(readFen(fen), moves).map((move) => move.uci);
            }""",
            [fen, moves],
        )
    )


@pytest.mark.parametrize(
    ("fen", "said", "meant"),
    [
        (START, ["e4", "Nf3", "a2a3", "draw", "Ke5"], ["e2e4", "g1f3", "a2a3"]),
        ("r3k2r/8/8/8/8/8/8/R3K2R w KQkq - 0 1", ["O-O", "O-O-O+"], ["e1g1", "e1c1"]),
        ("r3k2r/8/8/8/8/8/8/R3K2R b KQkq - 0 1", ["0-0"], ["e8g8"]),
        ("8/4P3/8/8/8/8/8/k1K5 w - - 0 1", ["e8=Q", "e7e8n"], ["e7e8q", "e7e8n"]),
        ("4k3/8/8/3pP3/8/8/8/4K3 w - d6 0 1", ["exd6"], ["e5d6"]),
        ("k7/8/8/8/8/8/8/1K6 w - - 0 1", ["O-O", "O-O-O"], []),
        # The knight on e2 is pinned, so the other one is meant.
        ("4k3/8/8/4r3/8/8/4N3/4K1N1 w - - 0 1", ["Nf3"], ["g1f3"]),
        ("4k3/4r3/8/8/8/2N5/4N3/4K3 w - - 0 1", ["Nd5"], ["c3d5"]),
        ("4k3/8/8/8/8/R6R/8/4K3 w - - 0 1", ["Rad3", "Rhd3", "Rd3"], ["a3d3", "h3d3"]),
    ],
)
async def test_a_move_in_letters_is_one_between_squares(
    page: Page, fen: str, said: list[str], meant: list[str]
) -> None:
    assert await chess_moves(page, fen, said) == meant


@pytest.mark.parametrize("seed", [1, *(pytest.param(n, marks=pytest.mark.long) for n in range(40))])
async def test_each_move_that_the_referee_lists_is_found_on_the_board(
    page: Page, seed: int
) -> None:
    """The referee itself says which squares its words mean."""
    game = await games.play("chess_bot.py", seed, moves=60)
    position = ""
    for message in game.messages:
        body = message["body"]
        if body.get("type") == "move":
            assert await chess_moves(page, position, [body["san"]]) == [body["uci"]], position
        if body.get("type") == "turn" and body["expect"]:
            listed = [text for text in body["expect"] if text != "draw"]
            found = await chess_moves(page, position, listed)
            assert len(set(found)) == len(listed), (position, listed, found)
        position = body.get("fen", position)


async def test_two_presses_post_a_move(page: Page) -> None:
    await draw(page, "chess", START, {"moves": ["e4", "e3", "Nf3", "draw"]})
    await page.get_by_label("a2: white pawn").click(force=True)
    assert await page.locator("[aria-pressed=true]").count() == 0
    await page.get_by_label("e2: white pawn").click()
    assert await page.locator(".target").count() == 2
    await page.get_by_label("g1: white knight").click()
    assert await page.locator(".target").count() == 1
    await page.get_by_label("e2: white pawn").click()
    await page.get_by_label("e4: empty, can move here").click()
    assert await stage.posted(page) == [["e2e4", None]]
    assert await page.locator(".target").count() == 0


async def test_a_pawn_that_arrives_is_asked_what_it_becomes(page: Page) -> None:
    moves = ["e8=Q", "e8=R", "e8=B", "e8=N"]
    await draw(page, "chess", "8/4P3/8/8/8/8/8/k1K5 w - - 0 1", {"moves": moves})
    await page.get_by_label("e7: white pawn").click()
    await page.get_by_label("e8: empty, can move here").click()
    assert await stage.posted(page) == []
    await expect(page.get_by_role("group", name="Promote to").get_by_role("button")).to_have_text(
        ["queen", "rook", "bishop", "knight"]
    )
    await page.get_by_role("button", name="knight").click()
    assert await stage.posted(page) == [["e7e8n", None]]


async def test_a_move_is_made_with_keys_alone(page: Page) -> None:
    await draw(page, "chess", START, {"moves": ["e4", "Nf3"]})
    await page.keyboard.press("Tab")
    await page.keyboard.press("Control+End")
    for key in ("ArrowUp", "ArrowLeft", "ArrowLeft", "ArrowLeft", "Enter"):
        await page.keyboard.press(key)
    for key in ("ArrowUp", "ArrowUp", "Space"):
        await page.keyboard.press(key)
    assert await stage.posted(page) == [["e2e4", None]]


async def test_a_cell_whose_number_is_expected_posts_it(page: Page) -> None:
    board = ["X", "", "O", "", "", "", "", "", ""]
    await draw(page, "grid", board, {"moves": ["2", "5", "resign"]}, width=3)
    assert await page.locator("tr").count() == 3
    await page.get_by_label("4: empty").click(force=True)
    await page.get_by_label("5: empty").click()
    assert await stage.posted(page) == [["5", None]]
    assert await page.locator("button:not([aria-disabled])").count() == 2


async def test_a_cell_is_pressed_with_keys_alone(page: Page) -> None:
    await draw(page, "grid", [""] * 9, {"moves": ["5", "9"]}, width=3)
    await page.keyboard.press("Tab")
    for key in ("Home", "ArrowUp", "ArrowUp", "ArrowLeft", "End", "ArrowDown", "ArrowLeft"):
        await page.keyboard.press(key)
    await page.keyboard.press("Enter")
    assert await stage.posted(page) == [["5", None]]


async def test_a_watcher_presses_nothing(page: Page) -> None:
    await draw(page, "chess", START)
    await draw(page, "grid", [""] * 9, width=3)
    for button in (page.get_by_label("e2: white pawn"), page.get_by_label("5: empty", exact=True)):
        await button.click(force=True)
    assert await page.locator("[aria-pressed=true]").count() == 0
    assert await stage.posted(page) == []


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (["TS", "??"], ["10 of spades", "face down"]),
        ({"alice": ["AH"], "bob": {"cards": ["2C"]}}, ["ace of hearts", "2 of clubs"]),
        ([{"player": "bob", "cards": ["QD"]}], ["queen of diamonds"]),
        (
            {"alice": [["8C"], {"cards": ["8D", "2H"]}]},
            ["8 of clubs", "8 of diamonds", "2 of hearts"],
        ),
        ({"alice": {"cards": []}}, []),
    ],
)
async def test_cards_have_names(page: Page, value: Any, names: list[str]) -> None:
    await draw(page, "cards", value)
    drawn = page.get_by_role("img")
    assert [await one.get_attribute("aria-label") for one in await drawn.all()] == names
    for player in ("alice", "bob"):
        assert await page.get_by_text(player).count() == (player in str(value))


async def text_of(page: Page) -> str:
    return str(await page.locator(".panel").inner_text())


@pytest.mark.parametrize(
    ("kind", "value", "more", "shown"),
    [
        ("cards", "TS", {}, "TS"),
        ("cards", {"alice": {"cards": []}}, {}, "no cards"),
        ("dice", "heads", {}, "heads"),
        ("dice", [20, 7], {}, "7"),
        ("table", {"alice": 2, "bob": "ill"}, {}, "ill"),
        ("table", [{"a": 1}, {"b": [2]}], {}, "[2]"),
        ("table", [["x", 1], "y"], {}, "y"),
        ("table", [{"n": n} for n in range(60)], {}, "and 10 more"),
        ("table", {str(n): n for n in range(51)}, {}, "and 1 more"),
        ("table", [], {}, "nothing"),
        ("text", "Who was it?", {}, "Who was it?"),
        ("text", {"a": 1}, {}, '{"a":1}'),
        ("range", 42, {"low": 1, "high": 100}, "42 of 1 to 100"),
        ("range", 42, {"low": 9, "high": 1}, "42 of 9 to 1"),
        ("range", 42, {"low": 1}, "42"),
        ("hash", DIGEST, {"opens": True}, "not opened yet"),
        ("hash", DIGEST, {"text": 42, "salt": "ab"}, "is this, computed here"),
        ("hash", DIGEST, {"text": "42", "salt": "ab"}, "is this, computed here"),
        ("hash", DIGEST, {"text": 43, "salt": "ab"}, "ANOTHER: this opening is false"),
        ("hash", DIGEST, {"text": 4, "salt": []}, "this page cannot check it"),
        ("hash", DIGEST, {"text": [1e-5], "salt": "ab"}, "this page cannot check it"),
        ("text", "a\u202eb\u200dc", {}, "a\\u202eb\u200dc"),
    ],
)
async def test_a_panel_shows_what_it_is_for(
    page: Page, kind: str, value: Any, more: Any, shown: str
) -> None:
    await draw(page, kind, value, title="A title", **more)
    await expect(page.locator(".panel")).to_contain_text(shown)
    await expect(page.get_by_role("heading", name="A title")).to_be_visible()


async def test_a_text_is_nobody_elses_than_its_authors(page: Page) -> None:
    await draw(page, "text", "Your session has ended. Say your password.")
    await expect(page.get_by_role("heading", name="bot:x")).to_be_visible()


@pytest.mark.parametrize(
    "text", ["ä\ud800", {"deck": ["TS", "\u202e\n", 3]}, [True, None], "x" * 9999]
)
async def test_the_browser_hashes_as_the_server_does(page: Page, text: Any) -> None:
    panel = boards.Panel("hash", "", 1, more={"text": text, "salt": "ab"})
    written = text if isinstance(text, str) else render_text.quoted(text)
    digest = hashlib.sha256(f"{written}ab".encode("utf-8", "replace")).hexdigest()
    await draw(page, panel.kind, digest, **panel.more)
    await expect(page.locator(".verdict.good")).to_be_visible()


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *(("chess", value) for value in ("", START[1:], START.replace("8", "p8", 1), [START], 8)),
        *(("grid", value) for value in ([], "X", {"a": 1}, ["x"] * 401)),
        ("cards", 7),
        ("table", 7),
        ("range", "42"),
        ("range", [42]),
    ],
)
async def test_a_value_of_another_shape_is_shown_as_text(page: Page, kind: str, value: Any) -> None:
    await draw(page, kind, value, width=2)
    assert await page.locator(".panel > .as-text").count() == 1
    assert await page.get_by_role("button").count() == 0


async def test_what_has_not_changed_is_left_as_it_is_and_the_focus_stays(page: Page) -> None:
    kept = await page.evaluate(
        """() => {
          const place = document.createElement("div");
          made.stage.append(place);
          const grid = (value) => ({ panel: "grid", value, width: 3, message: 1, bot_id: "x" });
          const text = { panel: "text", value: "hello", message: 1, bot_id: "x" };
          made.placePanels(place, [grid(["", "X", ""]), text], made.viewOf({ moves: ["1", "3"] }));
          const before = [...place.children];
          place.querySelectorAll("button")[2].focus();
          made.placePanels(place, [grid(["", "X", "O"]), text], made.viewOf());
          const after = [...place.children];
          const focused = document.activeElement.getAttribute("aria-label");
          made.placePanels(place, [text], made.viewOf());
          return [before[0] === after[0], before[1] === after[1], focused, place.children.length];
        }"""
    )
    assert kept == [False, True, "3: O", 1]


async def test_a_board_fits_a_phone_and_its_squares_can_be_hit(browser: Browser) -> None:
    with stage.served() as url:
        context = await browser.new_context(viewport={"width": 390, "height": 800})
        page = await context.new_page()
        await page.goto(url)
        await stage.ready(page)
        await draw(page, "chess", START)
        await draw(page, "grid", ["x"] * 361, width=19)
        await draw(page, "table", [{"word" * 9 + str(n): "y" * 99 for n in range(9)}])
        sizes = await page.evaluate(
            "[...document.querySelectorAll('td button')].map((b) => b.getBoundingClientRect())"
            ".map((at) => Math.min(at.width, at.height))"
        )
        assert min(sizes) >= 24 and min(sizes[:64]) >= 40
        assert await page.evaluate("document.documentElement.scrollWidth") == 390
        await context.close()


@pytest.mark.long
async def test_the_types_that_the_scripts_name_hold(pytestconfig: pytest.Config) -> None:
    cache = pytestconfig.cache
    assert cache is not None
    directory = npm.installed(Path(cache.mkdir("npm")) / "typescript", ("typescript@5.9.3",))
    check = "--noEmit --allowJs --checkJs --target es2023 --lib es2023,dom,dom.iterable"
    command = [str(npm.NODE), str(next(directory.rglob("lib/tsc.js"))), *check.split()]
    command += ["--module", "esnext", "--moduleResolution", "bundler"]
    scripts = [str(stage.STATIC / name) for name in MINE]
    done = await asyncio.to_thread(
        subprocess.run, [*command, *scripts], capture_output=True, text=True
    )
    assert done.stdout == ""
