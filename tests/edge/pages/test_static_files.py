"""What pages load stands under the digest of all of it, for good, and is a file of ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_multiplayer.edge.pages import static_files
from mcp_multiplayer.edge.pages.match_file import modules
from tests.edge.harness import lab


async def test_a_page_names_a_stylesheet_that_browsers_keep(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        page = await it.http.get("/", headers={"Accept": "text/html"})
        address = static_files.prefix() + "style.css"
        assert f'href="{address}"' in page.text
        found = await it.http.get(address)
    assert found.status_code == 200
    assert found.headers["content-type"].startswith("text/css")
    assert "immutable" in found.headers["cache-control"]


async def test_the_address_of_another_version_is_given_what_there_is_and_keeps_nothing(
    tmp_path: Path,
) -> None:
    async with lab(tmp_path) as it:
        found = await it.http.get("/static/0123456789abcdef/style.css")
    assert (found.status_code, found.headers["cache-control"]) == (200, "no-store")


@pytest.mark.parametrize(
    "path",
    [
        "/static/",
        "/static/style.css",
        "{}layout.html",
        "{}../layout.py",
        "{}..%2flayout.py",
        "{}room.css.js",
        "{}STYLE.CSS",
        "/static/0123/style.css",
    ],
)
async def test_nothing_else_is_there(path: str, tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        found = await it.http.get(path.format(static_files.prefix()))
    assert found.status_code == 404


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip, br", "gzip"),
        ("br;q=1, gzip;q=0.5", "gzip"),
        ("gzip;q=0", None),
        ("gzip;q=0.0, br", None),
        ("identity", None),
        ("xgzipx", None),
    ],
)
async def test_it_is_packed_for_who_takes_it(
    accepted: str, encoding: str | None, tmp_path: Path
) -> None:
    async with lab(tmp_path) as it:
        address = static_files.prefix() + "style.css"
        found = await it.http.get(address, headers={"Accept-Encoding": accepted})
    assert found.headers.get("content-encoding") == encoding
    assert found.content == static_files.files()["style.css"]


def test_a_room_loads_little() -> None:
    """The whole of it, as a browser gets it: at most 100 kB, of that 40 kB of scripts."""
    packed = {name: len(static_files._packed(name)) for name in static_files.files()}
    scripts = sum(packed[name] for name in modules("room.js"))
    assert scripts <= 40_000 and scripts + packed["style.css"] <= 90_000, packed
