"""match.html: one file that shows a game and checks its record where there is no network, says the
same as the modules it is made of, and does nothing that a stranger's words ask for."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import random
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

from mcp_multiplayer.edge.pages import match_file, static_files
from mcp_multiplayer.edge.pages.layout import Card
from mcp_multiplayer.edge.pages.layout import page as render
from mcp_multiplayer.edge.pages.match import MOST, headline, share
from tests import npm
from tests.sample import sample
from tests.verifier.games import Bundle, Table, reforge, table
from tests.verifier.matches import PRESETS, world
from tests.verifier.records import shipped
from tests.web.conftest import Visit
from tests.web.readers import told
from tests.web.serving import Served, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

LARGEST = 100_000  #: bytes of the file without its record
BASE, PATH = "https://mp.example", "/match/chn_x"
SENTENCE = "This page came from the server that is being checked."
#: Ends a game in words that would like to be more than words.
HOSTILE = """
MANIFEST = {"label": "evil", "rules": "<script>alert(1)</script>", "show": [
    {"panel": "text", "of": "text"}, {"panel": "table", "of": "rows", "title": "<svg onload=a()>"},
    {"panel": "cards", "of": "cards"}, {"panel": "grid", "of": "cells", "width": 2},
    {"panel": "chess", "of": "fen"}, {"panel": "range", "of": "n"}, {"panel": "dice", "of": "die"}]}
EVIL = "<img src=http://evil.example/x onerror=alert(1)></script><style>*{display:none}</style>"
class Evil:
    def __init__(self, ctx, params):
        self.ctx = ctx
    def on_message(self, msg):
        self.ctx.post("bot", {"text": EVIL, "rows": {EVIL: EVIL, "__proto__": EVIL}, EVIL: [EVIL],
            "cards": {"alice": [EVIL, "TS"], EVIL: ["??"]}, "cells": [EVIL, "x", "\\u202e", "y"],
            "fen": EVIL + " w - - 0 1", "n": EVIL, "die": EVIL, "type": EVIL})
        self.ctx.end({"winners": [], "reason": EVIL, "scores": {"alice": EVIL}})
"""
EVIL = "<img src=http://evil.example/y onerror=alert(1)><a href=http://evil.example/z>z</a>"


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving() as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk() -> AsyncIterator[Table]:
    async with table() as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chess(desk: Table) -> Bundle:
    """alice mates bob with her fourth move."""
    game = await (await desk.open("ChessBot")).seated()
    moves = ("e4", "e5", "Bc4", "Nc6", "Qh5", "Nf6", "Qxf7#")
    for who, move in zip(("alice", "bob") * 4, moves, strict=False):
        await game.say(who, move)
    return game.bundle()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def coin(desk: Table) -> Bundle:
    """bob sealed his call, which came out with the seed."""
    game = await (await desk.open("CoinBot")).seated()
    await game.say("alice", "heads")
    await game.say("bob", "tails", to=["bot:coin"])
    return game.bundle("alice")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hostile(desk: Table) -> Bundle:
    game = await (await desk.open(code=HOSTILE)).seated()
    await game.say("alice", {"text": EVIL, EVIL: EVIL, "type": EVIL})
    return game.bundle()


def saved(directory: Path, record: bytes | None) -> str:
    """The address of a match.html on the disk."""
    file = directory / "match.html"
    file.write_bytes(match_file.match_file(record))
    return file.as_uri()


async def lines_of(page: Page) -> list[tuple[str, str, str]]:
    """What stands under "Checked in this tab": name, state, why."""
    await page.locator("#checks li").last.wait_for()
    return [
        (await one.locator("b").inner_text(), str(await one.get_attribute("class")), why)
        for one in await page.locator("#checks li").all()
        for why in [await one.locator(".why").inner_text()]
    ]


# --- how it is made ----------------------------------------------------------------------------


async def test_its_modules_stand_in_the_order_in_which_they_need_each_other() -> None:
    names = match_file.modules()
    assert names[-1] == "match.js" and len(set(names)) == len(names)
    for place, name in enumerate(names):
        text = (static_files.DIRECTORY / name).read_text()
        wanted = re.findall(r'from "\./(\w+\.js)"', text)
        assert set(wanted) <= set(names[:place]), name


async def test_a_module_may_say_nothing_that_the_file_cannot_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(static_files, "DIRECTORY", tmp_path)
    (tmp_path / "one.js").write_text("export const one = 1;\nexport function two() {}\n")
    (tmp_path / "all.js").write_text('export { one } from "./one.js";\n')
    (tmp_path / "it.js").write_text(
        'import { one } from "./all.js";\nimport {\n  two,\n} from "./one.js";\n'
        "export const it = [one, two()];\nconsole.log(it[0]);\n"
    )
    made = await asyncio.create_subprocess_exec(
        npm.NODE, "-e", match_file.script("it.js"), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await made.communicate()
    assert said == b"1\n"
    for bad in (
        'import one from "./one.js";',
        'import { one as other } from "./one.js";',
        'import "./one.js";',
        'const one = await import("./one.js");',
        "export default 1;",
        'const end = "</script>";',
    ):
        (tmp_path / "it.js").write_text(bad + "\n")
        with pytest.raises(ValueError):
            match_file.script("it.js")


async def test_it_is_one_small_file_whose_policy_names_its_script_and_style() -> None:
    empty = match_file.match_file(None)
    assert len(empty) <= LARGEST
    text = empty.decode()
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)
    assert policy.startswith("default-src 'none'; ")
    for name in ("script", "style"):
        (inner,) = re.findall(rf"<{name}>(.*?)</{name}>", text, re.S)
        digest = base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", text)
    assert match_file.match_file(b"abc") == match_file.match_file(b"abc") != empty


# --- what it shows -----------------------------------------------------------------------------


async def test_it_says_offline_what_its_modules_say(
    visit: Visit, served: Served, tmp_path: Path, coin: Bundle
) -> None:
    read = await told(await visit(served.base + "/empty.html"), coin.zip())
    expected = [(one["line"], one["state"], one["text"]) for one in read["lines"]]
    visit.heard.requests.clear()
    address = saved(tmp_path, coin.zip())
    page = await visit(address, offline=True)
    assert await lines_of(page) == expected
    assert visit.heard.requests == [address] and visit.heard.errors == []
    assert SENTENCE in await page.inner_text("main")
    assert "Not run again here" in await page.inner_text("#checks")
    said = await page.inner_text("main")
    assert not re.search(r"\b(?:proven|verified)\b", said, re.I)
    told_by_python = headline(["alice", "bob"], "CoinBot", read["result"])
    assert await page.inner_text("#headline") == told_by_python
    assert "tails" in await page.inner_text("#feed")  # what the log itself has opened since


async def test_keys_alone_step_through_it(visit: Visit, tmp_path: Path, chess: Bundle) -> None:
    page = await visit(saved(tmp_path, chess.zip()), offline=True)
    await lines_of(page)
    now, feed = page.locator("#now"), page.locator("#feed > li:visible")
    assert await now.inner_text() == "Step 10 of 10 · entry 19 · alice: Qxf7#"
    whole = await feed.count()
    await page.keyboard.press("ArrowLeft")
    assert "Step 9 of 10" in await now.inner_text() and "bob: Nf6" in await now.inner_text()
    assert await feed.count() < whole
    await page.keyboard.press("Home")
    assert "Step 1 of 10" in await now.inner_text()
    assert await page.locator("#boards > *").count() == 0
    await page.keyboard.press("ArrowLeft")
    await page.keyboard.press("ArrowRight")
    assert "Step 2 of 10" in await now.inner_text()
    await page.keyboard.press("End")
    assert "Step 10 of 10" in await now.inner_text() and await feed.count() == whole
    white = page.get_by_role("button", name="f7: white queen")
    assert await white.count() == 1
    await page.locator("#first").focus()
    await page.keyboard.press("Enter")
    assert "Step 1 of 10" in await now.inner_text()
    await page.keyboard.press("Tab")  # past what has no way back, though it can be reached
    await page.locator("#step").focus()
    await page.keyboard.press("ArrowRight")
    assert "Step 2 of 10" in await now.inner_text()
    assert await page.locator("#step").get_attribute("aria-valuetext") == "Step 2 of 10"


async def test_the_empty_one_takes_a_record_and_says_what_is_none(
    visit: Visit, tmp_path: Path, chess: Bundle
) -> None:
    address = saved(tmp_path, None)
    page = await visit(address, offline=True)
    assert SENTENCE in await page.inner_text("main")
    await page.set_input_files("#file", chess.save(tmp_path / "record.zip"))
    assert {state for _, state, _ in await lines_of(page)} == {"ok", "absent"}
    assert await page.inner_text("#headline") == "alice beat bob · Chess"
    async with page.expect_download() as download:
        await page.click("#save")
    path = await (await download.value).path()
    assert path.read_bytes() == (tmp_path / "record.zip").read_bytes()
    (tmp_path / "none.zip").write_bytes(b"<html>")
    await page.set_input_files("#file", tmp_path / "none.zip")
    await page.get_by_role("alert").wait_for()
    assert "no whole record" in await page.inner_text("#refused")
    assert (
        await page.locator("#match").is_hidden() and await page.locator("#checks li").count() == 0
    )
    dropped = (
        "(text) => { const data = new DataTransfer(); data.items.add(new File("
        "[Uint8Array.from(atob(text), (one) => one.charCodeAt(0))], 'x.zip')); return data; }"
    )
    data = await page.evaluate_handle(dropped, base64.b64encode(chess.zip()).decode())
    await page.dispatch_event("main", "drop", {"dataTransfer": data})
    assert len(await lines_of(page)) == 6
    assert [one for one in visit.heard.requests if not one.startswith("blob:")] == [address]


async def test_a_record_that_was_changed_is_shown_with_a_warning(
    visit: Visit, tmp_path: Path, chess: Bundle
) -> None:
    forged = chess.copy()
    forged.lines = [line for line in forged.members()["entries.jsonl"].split(b"\n") if line]
    forged.lines[-2] = forged.lines[-2].replace(b"Qxf7#", b"Qxf8#").replace(b"Nf6", b"Nh6")
    page = await visit(saved(tmp_path, forged.zip()), offline=True)
    found = dict((line, state) for line, state, _ in await lines_of(page))
    assert "bad" in found.values()
    assert "does not hold" in await page.inner_text("#refused")


async def test_words_of_strangers_make_no_element_and_ask_nobody(
    visit: Visit, tmp_path: Path, hostile: Bundle
) -> None:
    forged = hostile.copy()  # whoever has a key may write into it what no server lets in
    forged.entries[0]["name"] = forged.entries[0]["slots"][1]["label"] = EVIL
    for attach in forged.of("attach"):
        attach["name"] = attach["version"] = EVIL
    reforge(forged)
    address = saved(tmp_path, forged.zip())
    page = await visit(address)
    assert {state for _, state, _ in await lines_of(page)} <= {"ok", "absent"}
    for place in ("#feed", "#checks", "#headline", "#card"):
        assert "<img src=http://evil.example" in await page.inner_text(place), place
    await page.keyboard.press("ArrowLeft")
    await page.keyboard.press("End")
    strange = "img, svg, a, iframe, form, object, [onerror], [onload], main style, main script"
    assert await page.locator(strange).count() == 0
    assert visit.heard.requests == [address] and visit.heard.errors == []


@pytest.mark.long
@pytest.mark.parametrize("preset", PRESETS)
async def test_every_preset_s_record_is_shown(
    visit: Visit, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, preset: str
) -> None:
    async with world(tmp_path_factory.mktemp("tls")) as house:
        game = await shipped(house, preset, random.Random(preset))
    page = await visit(saved(tmp_path, game.zip()), offline=True)
    assert {state for _, state, _ in await lines_of(page)} == {"ok", "absent"}
    await page.keyboard.press("Home")
    steps = int(str(await page.locator("#step").get_attribute("max")))
    for _ in range(steps):
        await page.keyboard.press("ArrowRight")
    assert visit.heard.errors == [] and len(visit.heard.requests) == 1


# --- for everybody -----------------------------------------------------------------------------

LOOKS = [(scheme, width) for scheme in ("light", "dark") for width in (390, 1280)]


@pytest.mark.parametrize(("scheme", "width"), sample(LOOKS, [("dark", 390)]))
async def test_nobody_is_shut_out(
    visit: Visit, tmp_path: Path, chess: Bundle, scheme: str, width: int
) -> None:
    size = {"width": width, "height": 844}
    for record in (chess.zip(), None):
        address = saved(tmp_path, record)
        page = await visit(address, color_scheme=scheme, viewport=size, bypass_csp=True)
        if record:
            await lines_of(page)
        found = await Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not await page.evaluate(wide)


# --- the page of the server --------------------------------------------------------------------


def page_of(**values: Any) -> str:
    given: dict[str, Any] = {
        "channel_id": "chn_x",
        "card": Card("alice beat bob · Chess", "checkmate", BASE, PATH),
        "facts": {
            "players": ["alice", "bob"],
            "referee": "ChessBot",
            "code_hash": "sha256:12",
            "result": "Over: alice won.",
            "entries": 21,
            "root": "abc",
        },
    }
    return bytes(render("match.html", **given | values).body).decode()


async def test_the_page_of_the_server_has_the_facts_without_a_script(
    visit: Visit, served: Served
) -> None:
    page = await visit(served.put("/match.html", page_of()), java_script_enabled=False)
    said = await page.inner_text("main")
    for fact in ("alice, bob", "ChessBot", "sha256:12", "alice won", "21 entries", SENTENCE):
        assert fact in said
    assert await page.get_attribute("text=Save match.html", "href") == "/match.html"


async def test_what_a_link_says_is_short_and_escaped() -> None:
    ended = {"winners": ["alice"], "reason": "checkmate"}
    assert share(["alice", "bob"], "ChessBot", ended, 21, base=BASE, path=PATH) == Card(
        "alice beat bob · Chess",
        "checkmate · 21 entries. Step through the game and check its record.",
        BASE,
        PATH,
    )
    assert headline(["a", "b", "c"], "RockPaperScissorsBot", {"winners": ["a", "c"]}) == (
        "a and c won · Rock Paper Scissors"
    )
    assert headline(["a", "b"], "", {"winners": []}) == "a and b: nobody won"
    assert headline(["a", "b"], "X", None) == "a and b: not over · X"
    evil = {"winners": ["<b>" * 200], "reason": '"><script>\u202e' + "x\n" * 900}
    card = share(["alice", "bob"], "<i>" * 99, evil, 3, base=BASE, path=PATH)
    assert len(card.title) <= MOST and len(card.description) <= MOST
    assert "\u202e" not in card.description and "\n" not in card.description
    facts = {"players": ["<b>x"], "referee": "", "code_hash": "", "result": "", "entries": 1}
    html = page_of(card=card, facts=facts | {"root": ""})
    assert "<script>" not in html.partition("<main")[2].partition("</main>")[0]
    assert "<b>x" not in html and "&lt;b&gt;x" in html
