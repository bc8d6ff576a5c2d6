"""The boards of all presets on one page, as people with keyboards, screen readers, phones and dark
rooms meet them: axe finds nothing against WCAG 2.2 A and AA, and nothing is wider than the page."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page

from tests.web import games, stage

pytestmark = pytest.mark.asyncio(loop_scope="module")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
#: Panels that no preset shows so.
OTHERS = [
    {"panel": "dice", "value": [1, 2, 3, 4, 5, 6, 20, "heads"], "title": "Dice"},
    {"panel": "cards", "value": {"alice": ["TS", "??"], "bob": []}, "title": "Cards"},
    {"panel": "grid", "value": ["B", "W", "", ""] * 19, "width": 19, "title": "Go"},
    {"panel": "grid", "value": ["a", "longer", "", "4"], "width": 2, "title": "Words"},
    {"panel": "range", "value": 42, "low": 1, "high": 100, "title": "Guess"},
    {"panel": "hash", "value": "00", "text": "a", "salt": "b", "title": "False"},
    {"panel": "table", "value": [{"a": 1, "b": "x" * 300}, {"c": [1]}] * 9, "title": "Rows"},
    {"panel": "chess", "value": "none", "title": "No board"},
]
HANG = """([recorded, others]) => {
  const heading = (text) => {
    const made_ = document.createElement("h2");
    made_.textContent = text;
    made.stage.append(made_);
  };
  for (const { file, bot, messages, turn, reader } of recorded) {
    heading(file);
    const expected = made.readExpect(turn);
    const side = made.sideOf(bot, messages, reader);
    for (const item of made.findPanels(bot, messages)) {
      made.panel(item, { moves: [...made.textsOf(expected)], side });
    }
    made.controls({ turn, moves: bot.manifest.moves });
    const feed = made.makeFeed({ you: reader });
    made.stage.append(feed.element);
    messages.slice(-3).forEach(feed.append);
  }
  heading("Others");
  for (const item of others) made.panel({ bot_id: "x", message: 1, ...item }, { moves: ["3"] });
  for (const one of document.querySelectorAll("details")) one.open = true;
}"""


async def hung(browser: Browser, url: str, **context: Any) -> Page:
    """The gallery. Axe comes as a script, which the page's policy would not let in."""
    page = await (await browser.new_context(bypass_csp=True, **context)).new_page()
    await page.goto(url)
    await stage.ready(page)
    recorded = [vars(await games.play(file, moves=14)) for file in games.FILES]
    await page.evaluate(HANG, [recorded, OTHERS])
    await page.locator(".verdict.bad").wait_for()
    return page


@pytest.mark.parametrize(
    ("scheme", "width"),
    [
        ("dark", 390),
        *(
            pytest.param(*one, marks=pytest.mark.long)
            for one in (("light", 1280), ("light", 390), ("dark", 1280))
        ),
    ],
)
async def test_the_gallery_is_accessible_and_fits(
    browser: Browser, scheme: str, width: int
) -> None:
    size = {"width": width, "height": 900}
    with stage.served() as url:
        page = await hung(browser, url, color_scheme=scheme, viewport=size)
        assert await page.locator(".panel").count() > 40
        assert await page.evaluate("document.documentElement.scrollWidth") == width
        small = await page.evaluate(
            """[...document.querySelectorAll("button, input, summary")].flatMap((one) => {
              const { width, height } = one.getBoundingClientRect();
              const least = one.closest("td, .feed") ? 24 : 44;
              return !width || (width >= least && height >= least) ? [] : [one.outerHTML];
            })"""
        )
        assert small == []
        found = await Axe().run(page, options={"runOnly": {"type": "tag", "values": TAGS}})
        assert found.violations_count == 0, found.generate_report()
        await page.context.close()
