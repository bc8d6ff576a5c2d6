"""What strangers, agents and crawlers are given at each public address, without a login."""

from __future__ import annotations

import hashlib
import json
import re
from html import unescape
from pathlib import Path

import pytest

from mcp_multiplayer.config import bots_dir
from mcp_multiplayer.connecting import SETUPS
from mcp_multiplayer.edge.api.operations.table import TABLE
from mcp_multiplayer.edge.pages.public import PLAY_NOW
from tests.edge.harness import BASE, Lab, lab
from tests.edge.pages.conftest import HTML, MARKDOWN, Open
from tests.test_doc_names import CODES, operations

pytestmark = pytest.mark.asyncio(loop_scope="module")

PUBLIC = {
    "/": "text/html",
    "/join": "text/html",
    "/games": "text/html",
    "/games/ChessBot": "text/html",
    "/games/ChessBot.py": "text/plain",
    "/games/referee.py": "text/plain",
    "/api": "text/html",
    "/privacy": "text/html",
    "/terms": "text/html",
    "/llms.txt": "text/plain",
    "/openapi.json": "application/json",
    "/robots.txt": "text/plain",
    "/sitemap.xml": "application/xml",
    "/favicon.svg": "image/svg+xml",
    "/favicon.ico": "image/svg+xml",
}
#: What is left with WEB=off.
LEFT = {"/", "/join", "/robots.txt", "/favicon.svg", "/favicon.ico", "/device"}
#: What needs no server behind the proxy.
ALONE = {"/", "/join", "/privacy", "/terms", "/robots.txt", "/sitemap.xml", "/favicon.svg"}
GOLDEN = Path(__file__).with_name("golden")


async def got(it: Lab, path: str) -> str:
    answer = await it.http.get(path, headers=HTML)
    assert answer.status_code == 200, path
    return answer.text


def preset_names() -> list[str]:
    return re.findall(
        r'"name": "(\w+Bot)"', "".join(p.read_text() for p in bots_dir().glob("*_bot.py"))
    )


async def test_each_address_answers_everybody_and_head_like_get(proxy: Open) -> None:
    async with proxy() as it:
        for path, kind in PUBLIC.items():
            answer = await it.http.get(path, headers=HTML)
            assert answer.status_code == 200, path
            assert answer.headers["content-type"].startswith(kind), path
            assert "set-cookie" not in answer.headers
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
            head = await it.http.head(path, headers=HTML)
            assert (head.status_code, head.content) == (200, b"")
            assert dict(head.headers) == dict(answer.headers), path
            posted = await it.http.post(path)
            assert posted.status_code == (401 if path == "/" else 405), path


@pytest.mark.parametrize("path", ["/games/NoBot", "/games/NoBot.py", "/games/x", "/games/"])
async def test_a_game_that_is_not_there_is_404(proxy: Open, path: str) -> None:
    async with proxy() as it:
        answer = await it.http.get(path, headers=HTML)
    assert answer.status_code == 404
    assert 'href="/games"' in answer.text


async def test_without_the_server_a_page_says_when_to_come_again(tmp_path: Path) -> None:
    async with lab(tmp_path, mcp_port=1) as it:
        for path in PUBLIC:
            answer = await it.http.get(path, headers=HTML)
            if path in ALONE or path == "/favicon.ico":
                assert answer.status_code == 200, path
            else:
                assert answer.status_code == 503, path
                assert int(answer.headers["retry-after"]) > 0


async def test_web_off_leaves_what_sign_in_and_invites_need(proxy: Open) -> None:
    async with proxy(web="off") as it:
        for path in {*PUBLIC, *LEFT, "/rooms"}:
            answer = await it.http.get(path, headers=HTML)
            assert answer.status_code == (200 if path in LEFT else 404), path
            links = set(re.findall(r'href="(/[a-z]\w*)"', answer.text))
            assert links <= LEFT | {"/favicon"}, path
        robots = (await it.http.get("/robots.txt")).text
        assert "/games" not in robots and "Sitemap" not in robots
        assert (await it.http.get("/", headers=MARKDOWN)).status_code == 200


# The start page


async def test_the_start_page_says_what_to_play_and_what_to_paste(proxy: Open) -> None:
    async with proxy(operator_contact="ops@mp.example") as it:
        page = await got(it, "/")
    assert [*PLAY_NOW] == re.findall(r'<h3><a href="/games/(\w+)"', page)
    assert {*PLAY_NOW} <= {*preset_names()}
    for setup in SETUPS:
        shown = f"<summary>{setup.name}</summary>" in page
        assert shown == (setup.printed and not setup.cloud)
    assert 'id="connect"' in page
    assert "ops@mp.example" in page
    assert page.count("<td ") == 64
    assert "Live now" not in page  # no room is listed


async def test_on_a_public_address_the_apps_in_the_cloud_are_there_too(proxy: Open) -> None:
    async with proxy(base="https://mp.example", public_url="https://mp.example") as it:
        page = await got(it, "/")
    assert f"<summary>{SETUPS[0].name}</summary>" in page
    for setup in SETUPS:
        assert (f"<summary>{setup.name}</summary>" in page) == setup.printed
    assert "https://mp.example/mcp" in page
    assert "PUBLIC_URL" not in page


# Games


async def test_each_preset_has_a_page_with_everything_about_it(proxy: Open) -> None:
    dispatch_items = {name: None for name in preset_names()}
    async with proxy() as it:
        index = await got(it, "/games")
        assert set(re.findall(r'class="whole" href="/games/(\w+)"', index)) == set(dispatch_items)
        for name in dispatch_items:
            page = unescape(await got(it, f"/games/{name}"))
            source = (await it.http.get(f"/games/{name}.py")).text
            assert "sha256:" + hashlib.sha256(source.encode()).hexdigest() in page
            assert source in page
            described = source.split('"""')[1]
            for paragraph in described.strip("\n").split("\n\n"):
                assert paragraph in page
            assert f'href="/rooms?new={name}"' in page


async def test_the_library_is_the_text_whose_hash_a_page_names(proxy: Open) -> None:
    async with proxy() as it:
        text = (await it.http.get("/games/referee.py")).text
        page = await got(it, "/games/ChessBot")
    assert text == (bots_dir() / "referee.py").read_text()
    assert hashlib.sha256(text.encode()).hexdigest() in page


async def test_a_page_says_what_becomes_of_sealed_words_and_what_is_reached(proxy: Open) -> None:
    async with proxy() as it:
        deal, price = await got(it, "/games/DealBot"), await got(it, "/games/PriceBot")
        chess = await got(it, "/games/ChessBot")
    assert "Stays closed" in deal and "Stays closed" not in chess
    assert "asks other servers" in price and "asks other servers" not in chess


async def test_what_an_author_wrote_is_text(proxy: Open) -> None:
    async with proxy() as it:
        page = await got(it, "/games/PriceBot")
        source = (await it.http.get("/games/PriceBot.py")).text
    body = page.split("<main")[1]
    assert "<script" not in body
    assert source.count("<") > 0
    assert "< " not in re.sub(r"<[a-z/!][^<>]*>", "", body)


# For programs


async def test_openapi_is_that_of_the_address_that_was_asked(proxy: Open) -> None:
    async with proxy() as it:
        found = [
            (await it.http.get("/openapi.json", headers={"Host": host})).json()
            for host in ("localhost:8100", "127.0.0.1:8100")
        ]
    addresses = [document["servers"][0]["url"] for document in found]
    assert addresses == [BASE, "http://127.0.0.1:8100"]
    assert set(found[0]["paths"]) == {
        f"/{path}" for one in TABLE for path in (one.name, *one.routes)
    }


async def test_the_page_of_the_interface_has_what_openapi_has_and_nothing_else(
    proxy: Open,
) -> None:
    async with proxy() as it:
        page = unescape(await got(it, "/api"))
    sections = page.split('<section class="operation"')[1:]
    assert len(sections) == len(TABLE)
    for entry, section in zip(TABLE, sections, strict=True):
        operation = operations().operations[entry.name]
        assert f'id="{entry.name}"' in section and f">{entry.method}<" in section
        rows = re.findall(
            r'<th scope="row"><code>(\w+)</code>( <span)?', section.split("</section>")[0]
        )
        needed = operation.schema.get("required", ())
        assert {name: bool(span) for name, span in rows} == {
            name: name in needed for name in operation.schema["properties"]
        }
        assert all(f"/{route}</code>" in section for route in entry.routes)
    codes = re.findall(r'<th scope="row"><code>([A-Z_]+)</code>', page)
    assert sorted(codes) == sorted({*CODES, "UNAUTHORIZED"})


async def test_llms_txt_names_each_operation_game_and_code_and_nothing_else(
    proxy: Open,
) -> None:
    async with proxy() as it:
        text = (await it.http.get("/llms.txt")).text
        same = await it.http.get("/", headers=MARKDOWN)
    assert same.text == text
    assert same.headers["content-type"].startswith("text/markdown")
    title, quote, *_ = [line for line in text.split("\n") if line]
    assert title.startswith("# ") and quote.startswith("> ")
    sections = {part.split("\n")[0]: part for part in text.split("\n## ")[1:]}
    named = {name: re.findall(r"(?m)^- \[(\w+)\]\(", part) for name, part in sections.items()}
    assert named["Operations"] == [entry.name for entry in TABLE]
    assert sorted(named["Games"]) == sorted(preset_names())
    assert sorted(named["Refusals"]) == sorted({*CODES, "UNAUTHORIZED"})
    for line in sections["Operations"].split("\n"):
        if found := re.match(r"- \[(\w+)\].*?: (\w+)\. .*?(?:Arguments: (.*)|No arguments)$", line):
            operation = operations().operations[found[1]]
            needed = operation.schema.get("required", ())
            assert found[2] == operation.entry.method
            assert (found[3] or "").split(", ") == [
                name if name in needed else f"{name}?" for name in operation.schema["properties"]
            ] or not operation.schema["properties"]
    assert "\n\n\n" not in text


async def test_each_link_of_llms_txt_leads_somewhere(proxy: Open) -> None:
    async with proxy() as it:
        text = (await it.http.get("/llms.txt")).text
        for link in set(re.findall(r"\]\(([^)#]+)", text)):
            assert link.startswith(BASE)
            answer = await it.http.get(link, headers=HTML)
            expected = 401 if link == f"{BASE}/mcp" else 200
            assert answer.status_code == expected, link


async def test_each_link_of_a_public_page_leads_somewhere(proxy: Open) -> None:
    async with proxy() as it:
        for path in ("/", "/games", "/games/ChessBot", "/api", "/privacy", "/join", "/nothing"):
            page = (await it.http.get(path, headers=HTML)).text
            for link in set(re.findall(r'(?:href|src)="(/[^"]*)"', page)):
                answer = await it.http.get(link, headers=HTML)
                assert answer.status_code == 200, (path, link)
                if "#" in link:
                    assert f'id="{link.partition("#")[2]}"' in answer.text, link
            for target in re.findall(r'href="#([^"]+)"', page):
                assert f'id="{target}"' in page, (path, target)


async def test_markdown_is_there_for_who_asks_for_it(proxy: Open) -> None:
    async with proxy() as it:
        for path in ("/", "/join", "/games/ChessBot", "/privacy", "/terms"):
            answer = await it.http.get(path, headers=MARKDOWN)
            assert answer.status_code == 200, path
            assert answer.headers["content-type"].startswith("text/markdown"), path
            assert answer.text.startswith("# "), path
            both = await it.http.get(path, headers={"Accept": "text/markdown, text/html"})
            assert both.headers["content-type"].startswith("text/html"), path
        bearer = await it.http.get("/", headers=MARKDOWN | {"Authorization": "Bearer x"})
        assert bearer.status_code == 401


# For crawlers and chats


async def test_a_pasted_link_shows_a_card_and_only_public_pages_are_kept(proxy: Open) -> None:
    async with proxy() as it:
        for path in ("/", "/games", "/games/ChessBot", "/api", "/privacy", "/terms", "/join"):
            page = await got(it, path)
            tags = dict(re.findall(r'<meta property="(og:\w+)" content="([^"]+)"', page))
            assert {"og:title", "og:description"} <= tags.keys(), path
            assert tags["og:url"] == BASE + path
            picture = await it.http.get(tags["og:image"])
            assert picture.headers["content-type"] == "image/png"
            assert len(picture.content) < 100_000
            assert '<meta name="description"' in page
            assert ('content="noindex"' in page) == (path == "/join"), path
        for path in ("/rooms", "/nothing", "/device"):
            page = (await it.http.get(path, headers=HTML)).text
            assert 'content="noindex"' in page, path
            assert '"og:' not in page, path


@pytest.mark.parametrize("name", ["robots.txt", "sitemap.xml", "join.md", "privacy.md", "terms.md"])
async def test_the_words_are_those_of_the_golden_file(proxy: Open, name: str) -> None:
    path = "/" + name.removesuffix(".md")
    async with proxy(operator_contact="ops@mp.example") as it:
        said = (await it.http.get(path, headers=MARKDOWN)).text
    assert said == (GOLDEN / name).read_text()


async def test_the_inner_routes_are_not_for_the_internet(proxy: Open) -> None:
    async with proxy() as it:
        for path in ("/presets_card", "/openapi_card"):
            assert (await it.http.get(path)).status_code == 404


async def test_json_is_not_written_down_as_something_else(proxy: Open) -> None:
    async with proxy() as it:
        answer = await it.http.get("/openapi.json")
    assert json.loads(answer.content)["openapi"].startswith("3.1")
    assert answer.headers["access-control-allow-origin"] == "*"
