"""The pages of rooms are for everybody: axe finds nothing against WCAG 2.2 A and AA, nothing is
wider than the page, and what is pressed is large enough."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

from mcp_multiplayer.demo.pair import Pair
from tests.players import rest
from tests.sample import sample
from tests.web.conftest import Visit
from tests.web.person import PATIENCE

pytestmark = pytest.mark.asyncio(loop_scope="module")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
LOOKS: list[dict[str, Any]] = [
    {"color_scheme": scheme, "viewport": {"width": width, "height": 900}}
    for scheme in ("light", "dark")
    for width in (1280, 390)
]
PLACES = ("join", "watch", "room", "rooms", "open room")
SMALL = """[...document.querySelectorAll("button, input, select, summary")].flatMap((one) => {
  const { width, height } = one.getBoundingClientRect();
  return !width || (width >= 24 && height >= 24) ? [] : [one.outerHTML];
})"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pair]:
    running = Pair(tmp_path_factory.mktemp("access"))
    try:
        await asyncio.to_thread(running.start)
        yield running
    finally:
        await asyncio.to_thread(running.stop)


@pytest.mark.parametrize(
    ("place", "look"),
    sample(
        [(place, number) for place in PLACES for number in range(4)],
        [("join", 1), ("room", 0), ("open room", 3)],
    ),
)
async def test_the_pages_of_rooms_are_accessible_and_fit(
    house: Pair, visit: Visit, place: str, look: int
) -> None:
    shown = LOOKS[look]
    page = await _at(house, visit, place, {"bypass_csp": True, **shown})
    for details in await page.locator("main details > summary").all():
        await details.click()
    width = shown["viewport"]["width"]
    assert await page.evaluate("document.documentElement.scrollWidth") == width
    assert await page.evaluate(SMALL) == []
    found = await Axe().run(page, options={"runOnly": {"type": "tag", "values": TAGS}})
    assert found.violations_count == 0, found.generate_report()


async def _at(house: Pair, visit: Visit, place: str, context: dict[str, Any]) -> Page:
    """A page with everything on it that it may show."""
    if place == "rooms":
        page = await visit(f"{house.base}/rooms", **context)
        await page.locator("#new").wait_for(timeout=PATIENCE)
        return page
    async with rest(house.base, "alice") as alice:
        room = await alice.call(
            "create_channel", bot_preset="ChessBot", join_as="alice", entropy="a" * 32, listed=True
        )
    if place == "watch":
        page = await visit(f"{house.base}/watch/{room['channel_id']}", **context)
    elif place == "open room":
        page = await visit(f"{house.base}/rooms?new=ChessBot", **context)
        await page.get_by_role("button", name="Open the room").click(timeout=PATIENCE)
        await page.wait_for_url("**/room/**", timeout=PATIENCE)
        await page.get_by_role("button", name="QR code").click(timeout=PATIENCE)
        await page.locator("#links img:not([hidden])").wait_for(timeout=PATIENCE)
    else:
        code = next(iter(room["invite_links"].values())).partition("#")[2]
        page = await visit(f"{house.base}/join#{code}", **context)
        await page.locator("#play").wait_for(timeout=PATIENCE)
        if place == "join":
            return page
        await page.locator("#play").click()
        await page.wait_for_url("**/room/**", timeout=PATIENCE)
    await page.locator("#feed li").last.wait_for(timeout=PATIENCE)
    return page
