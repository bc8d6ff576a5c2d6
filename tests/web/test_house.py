"""A lone visitor plays at once, against the server's own player."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Page

from mcp_multiplayer.demo.pair import Pair
from mcp_multiplayer.edge.pages.public import PLAY_NOW
from tests.sample import sample
from tests.web.conftest import Visit
from tests.web.person import PATIENCE, Person

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pair]:
    """Proxy, server and house, as start_servers runs them."""
    running = Pair(tmp_path_factory.mktemp("house"), supervised=True, HOUSE_PLAYERS="8")
    try:
        await asyncio.to_thread(running.start)
        yield running
    finally:
        await asyncio.to_thread(running.stop)


def button(page: Page, preset: str) -> str:
    return f"button[data-play={preset}]"


@pytest.mark.parametrize("preset", sample(PLAY_NOW, {"TicTacToeBot"}))
async def test_a_visitor_plays_a_game_to_its_end_after_one_click(
    house: Pair, visit: Visit, preset: str
) -> None:
    page = await visit(house.base)
    await page.locator(button(page, preset)).click(timeout=PATIENCE)
    await page.wait_for_url("**/room/**", timeout=PATIENCE)
    person = Person(page, "mouse", random.Random(1))
    told = await person.finish()
    assert told.startswith("Over: ")
    assert "house" in await page.inner_text("#seats")
    assert not visit.heard.errors


async def test_what_the_house_cannot_do_is_said_on_the_page(house: Pair, visit: Visit) -> None:
    page = await visit(f"{house.base}/games/TicTacToeBot")
    await page.route(
        "**/ask_house",
        lambda route: route.fulfill(
            status=503,
            json={
                "error": "UNAVAILABLE",
                "message": "the house is away",
                "hint": "Repeat it in 5 s.",
            },
        ),
    )
    await page.locator(button(page, "TicTacToeBot")).click(timeout=PATIENCE)
    await page.locator("#told", has_text="The house is away.").wait_for(timeout=PATIENCE)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "INVALID_REQUEST"),
        (b"[]", "INVALID_REQUEST"),
        (b"[" * 4000, "INVALID_REQUEST"),
        (b'{"invite_code": 5}', "INVALID_REQUEST"),
        (b'{"invite_code": "inv_nobodys"}', "INVITE_INVALID"),
        (b"x" * 5000, "TOO_LARGE"),
    ],
)
async def test_odd_questions_to_the_house_are_refused(house: Pair, body: bytes, code: str) -> None:
    async with httpx.AsyncClient(base_url=house.base, timeout=60) as http:
        answer = await http.post("/ask_house", content=body)
    assert answer.json()["error"] == code
    assert 400 <= answer.status_code < 500
