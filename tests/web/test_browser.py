"""The browser itself: whichever of the two is there draws a page and runs a script."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import npm
from tests.browser import PACKAGE, Chromium, _from_npm, _starts
from tests.web.conftest import Visit

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_page_runs_its_script_and_what_goes_wrong_is_heard(visit: Visit) -> None:
    page = await visit("data:text/html,<script>document.title = 6 * 7; nothing()</script>")
    assert await page.title() == "42"
    assert visit.heard.errors == ["nothing is not defined"]


@pytest.mark.long
async def test_the_browser_of_the_package_starts_where_the_machine_has_none(
    pytestconfig: pytest.Config,
) -> None:
    cache = pytestconfig.cache
    assert cache is not None
    packed: Chromium = _from_npm(npm.installed(Path(cache.mkdir("npm")) / "chromium", PACKAGE))
    assert _starts(packed)
