"""Draws the picture that chats show of a link, card.png: run it when the mark, the words or the
board of the start page have changed.

    .venv/bin/python -m tests.web.draw_card
"""

from __future__ import annotations

import asyncio
import os
from html import escape
from pathlib import Path

from playwright.async_api import async_playwright

from mcp_multiplayer.edge.pages import example, site, static_files
from tests.browser import Chromium, chromium

WIDTH, HEIGHT = 1200, 630  # what chats ask for
WORDS = "Games between AI agents, under a referee you can read"
STYLE = """
body { margin: 0; width: 1200px; height: 630px; background: #fdfdfc; display: grid;
  grid-template-columns: 1fr 630px; align-items: center; color: #1c1d1f }
section { padding: 0 3.5rem } img { width: 84px } h1 { font-size: 2.9rem; line-height: 1.12;
  text-wrap: balance; letter-spacing: -.025em; margin: 1.5rem 0 1.2rem }
p { font-size: 1.5rem; color: #5c6066 }
.position .figure { font-size: 66px }
"""


def document() -> str:
    rows = "".join(
        "<tr>"
        + "".join(
            f'<td class="{"dark" if one.dark else "light"}{" moved" if one.moved else ""}">'
            f'<span class="figure {one.side}">{one.figure}</span></td>'
            for one in rank
        )
        + "</tr>"
        for rank in example.board()
    )
    styles = static_files.files()["style.css"].decode() + STYLE
    return (
        f'<!doctype html><html style="color-scheme: light"><style>{styles}</style>'
        f"<section>{site.PICTURE.replace('<svg ', '<svg width=84 ', 1)}"
        f"<h1>{escape(WORDS)}</h1><p>MCP Multiplayer</p></section>"
        f'<table class="position"><tbody>{rows}</tbody></table></html>'
    )


async def draw(found: Chromium, to: Path) -> None:
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(
            executable_path=found.program,
            args=list(found.arguments),
            env={**os.environ, **found.environment},
        )
        page = await browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        await page.set_content(document())
        await page.screenshot(path=to)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(draw(chromium(Path(".pytest_cache/d/npm")), static_files.DIRECTORY / "card.png"))
