"""What tests in a browser share: one browser for a module, whose tests and fixtures run in the
module's event loop:

    pytestmark = pytest.mark.asyncio(loop_scope="module")

    async def test_it(visit: Visit) -> None:
        page = await visit("http://…")
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Error, Page, Request, async_playwright

from tests.browser import chromium
from tests.web import stage


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(request: pytest.FixtureRequest) -> AsyncIterator[Browser]:
    """A browser without a past."""
    cache = request.config.cache
    assert cache is not None
    found = chromium(Path(cache.mkdir("npm")))
    async with async_playwright() as driver:
        launched = await driver.chromium.launch(
            executable_path=found.program,
            args=list(found.arguments),
            env={**os.environ, **found.environment},
        )
        yield launched
        await launched.close()


@dataclass
class Heard:
    """What went wrong in the pages of a test, and whom they asked."""

    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def listen(self, page: Page) -> Callable[[], None]:
        """Hear a page; what is given back ends it."""

        def fails(error: Error) -> None:
            self.errors.append(str(error))

        def says(said: ConsoleMessage) -> None:
            if said.type == "error":
                self.errors.append(said.text)

        def asks(request: Request) -> None:
            self.requests.append(request.url)

        page.on("pageerror", fails)
        page.on("console", says)
        page.on("request", asks)

        def end() -> None:
            page.remove_listener("pageerror", fails)
            page.remove_listener("console", says)
            page.remove_listener("request", asks)

        return end


class Visit(Protocol):
    """Opens an address in a context (cookies, storage) of its own, or in that of ``beside``."""

    heard: Heard

    async def __call__(self, url: str, *, beside: Page | None = None, **context: Any) -> Page: ...


class _Visit:
    def __init__(self, browser: Browser, stack: AsyncExitStack) -> None:
        self.heard = Heard()
        self._browser = browser
        self._stack = stack

    async def __call__(self, url: str, *, beside: Page | None = None, **context: Any) -> Page:
        if beside is None:
            made = await self._browser.new_context(**context)
            self._stack.push_async_callback(made.close)
        else:
            made = beside.context
        page = await made.new_page()
        self.heard.listen(page)
        await page.goto(url)
        return page


@pytest_asyncio.fixture(loop_scope="module")
async def visit(browser: Browser) -> AsyncIterator[Visit]:
    """Opens pages; what they did wrong stands in ``visit.heard``."""
    async with AsyncExitStack() as stack:
        yield _Visit(browser, stack)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def staged(browser: Browser) -> AsyncIterator[Page]:
    """The page of `tests/web/stage.py`, for a whole module."""
    with stage.served() as url:
        page = await browser.new_page(timezone_id="UTC", locale="en-GB")
        await page.goto(url)
        yield await stage.ready(page)
        await page.close()


@pytest_asyncio.fixture(loop_scope="module")
async def scene(staged: Page) -> AsyncIterator[Page]:
    """The same, empty; nothing may go wrong in it."""
    heard = Heard()
    hear = heard.listen(staged)
    await staged.evaluate("made.clear()")
    yield staged
    hear()
    assert heard.errors == []
