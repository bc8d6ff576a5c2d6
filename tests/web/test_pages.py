"""The public pages in a real browser: for everybody (WCAG 2.2 AA as far as axe sees it), at every
width, in both schemes, without scripts, with keys alone; and nothing is asked of anybody else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio
from _pytest.mark import ParameterSet
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

from mcp_multiplayer.connecting import SETUPS
from mcp_multiplayer.oauth_proxy import create_app
from tests.bots.test_presets import FILES, manifest
from tests.edge.api.house import open_house
from tests.edge.harness import WEB_URI, serving, settings_for, wish_for
from tests.web.conftest import Visit

pytestmark = pytest.mark.asyncio(loop_scope="module")

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
NOWHERE, SIGN_IN = "/nothing-here", "sign-in"
QUICK = ["/", "/games/ChessBot"]
LONG = [
    *("/games", "/api", "/privacy", "/terms", "/join", NOWHERE, "/device", SIGN_IN),
    *(f"/games/{manifest(path)['name']}" for path in FILES),
]
PAGES = [*QUICK, *(path for path in LONG if path not in QUICK)]
LOOKS = [(1280, "light"), (390, "dark"), (1280, "dark"), (390, "light")]
#: Everything that a key must reach.
REACHED = "a[href], button, summary, input, select, textarea, [tabindex='0']"


@dataclass(frozen=True)
class Site:
    """Where the pages stand. ``wish``: the address of the page that asks about a client."""

    base: str
    wish: str

    def at(self, path: str) -> str:
        return self.base + (self.wish if path == SIGN_IN else path)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    data = tmp_path_factory.mktemp("site")
    async with open_house(data) as house:
        await house.face.warm_up()
        app = create_app(settings_for(data, mcp_port=int(house.url.rpartition(":")[2])))
        async with (
            serving(app) as port,
            httpx.AsyncClient(base_url=f"http://localhost:{port}") as http,
        ):
            body = {"redirect_uris": [WEB_URI], "token_endpoint_auth_method": "none"}
            client = (await http.post("/register", json=body)).json()
            yield Site(str(http.base_url).rstrip("/"), wish_for(client))


def looks() -> Iterator[ParameterSet]:
    """Two pages in two looks are quick; all others are long."""
    for path in PAGES:
        for width, scheme in LOOKS:
            quick = path in QUICK and (width, scheme) in LOOKS[:2]
            marks = () if quick else pytest.mark.long
            yield pytest.param(path, width, scheme, marks=marks)


def each_page() -> Iterator[ParameterSet]:
    for path in PAGES:
        yield pytest.param(path, marks=() if path in QUICK else pytest.mark.long)


async def unfold(page: Page) -> None:
    """Open whatever can be opened, one after the other where that closes another."""
    for one in await page.locator("summary").all():
        if not await one.evaluate("it => it.parentElement.open"):
            await one.click()


@pytest.mark.parametrize(("path", "width", "scheme"), [*looks()])
async def test_a_page_is_for_everybody(
    visit: Visit, site: Site, path: str, width: int, scheme: str
) -> None:
    look: dict[str, Any] = {
        "viewport": {"width": width, "height": 800},
        "color_scheme": scheme,
        "bypass_csp": True,  # axe is put into the page as a script
    }
    page = await visit(site.at(path), **look)
    await unfold(page)
    found = await Axe().run(page, options={"runOnly": {"type": "tag", "values": TAGS}})
    assert found.violations_count == 0, found.generate_report()
    assert await page.locator("h1").count() == 1
    assert await page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("path", [*each_page()])
async def test_a_page_asks_nobody_else_and_breaks_no_rule_of_its_own(
    visit: Visit, site: Site, path: str
) -> None:
    await unfold(await visit(site.at(path)))
    missing = ["Failed to load resource: the server responded with a status of 404 (Not Found)"]
    assert visit.heard.errors == (missing if path == NOWHERE else [])
    assert visit.heard.requests
    assert [url for url in visit.heard.requests if not url.startswith(site.base + "/")] == []


@pytest.mark.parametrize("path", ["/", "/games", "/games/ChessBot", "/api", "/privacy"])
async def test_a_page_says_the_same_without_scripts(visit: Visit, site: Site, path: str) -> None:
    page = await visit(site.at(path), java_script_enabled=False)
    assert await page.locator("main").get_by_role("button").count() == 0
    bare = await page.locator("main").inner_text()
    page = await visit(site.at(path))
    await page.evaluate("document.querySelectorAll('main button').forEach(one => one.remove())")
    assert bare.split() == (await page.locator("main").inner_text()).split()
    assert len(bare.split()) > 50


@pytest.mark.parametrize("path", ["/", "/games/ChessBot", "/join", NOWHERE])
async def test_keys_reach_everything_on_a_page(visit: Visit, site: Site, path: str) -> None:
    page = await visit(site.at(path))
    number = "[...document.querySelectorAll(REACHED)]".replace("REACHED", repr(REACHED))
    seen = f"{number}.map((one, at) => one.checkVisibility() ? at : -1).filter(at => at >= 0)"
    wanted: list[int] = await page.evaluate(seen)
    reached = []
    for _ in wanted:
        await page.keyboard.press("Tab")
        reached.append(await page.evaluate(f"{number}.indexOf(document.activeElement)"))
    assert reached == wanted
    assert await page.evaluate(f"{number}[0].className") == "skip"


async def test_the_address_for_agents_is_copied_by_a_button(visit: Visit, site: Site) -> None:
    page = await visit(site.at("/"), permissions=["clipboard-read", "clipboard-write"])
    await page.get_by_role("button", name="Copy").first.click()
    await page.get_by_role("button", name="Copied").wait_for()
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert copied == await page.locator("#endpoint").inner_text()
    await page.get_by_role("button", name="Copied").wait_for(state="detached")


async def test_one_client_is_open_at_a_time_without_scripts_too(visit: Visit, site: Site) -> None:
    page = await visit(site.at("/"), java_script_enabled=False)
    opened = page.locator("details[open] > summary")
    assert await opened.all_inner_texts() == [SETUPS[0].name]
    await page.get_by_text("Codex", exact=True).click()
    assert await opened.all_inner_texts() == ["Codex"]


async def test_a_reader_hears_where_each_piece_stands(visit: Visit, site: Site) -> None:
    page = await visit(site.at("/"))
    board = page.get_by_role("table", name="Board after the last move")
    assert await board.get_by_role("cell").count() == 64
    assert await board.get_by_role("cell", name="d8: white rook").count() == 1
