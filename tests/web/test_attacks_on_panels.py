"""A stranger's referee, player or room name that would like to be markup: whatever stands in
whichever field of a panel, a message or a turn makes no element that a harmless text of the same
length would not make, no attribute of its own, and no request.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.web import stage
from tests.web.conftest import Heard

pytestmark = pytest.mark.asyncio(loop_scope="module")

_TAGS = (
    "img",
    "svg",
    "script",
    "iframe",
    "object",
    "style",
    "base",
    "form",
    "a",
    "math",
    "template",
)
_CODE = "alert(document.domain)"
HOSTILE = [
    *(f"<{tag} src=x onerror={_CODE} onload={_CODE}>" for tag in _TAGS),
    *(f"</{tag}><img src=//evil.example/{tag}>" for tag in ("p", "td", "title", "textarea", "pre")),
    *(f'{quote}><img src=x onerror="{_CODE}">' for quote in ("'", '"', "`", "-->", "]]>", "*/")),
    *(f'" {event}={_CODE} x="' for event in ("onclick", "onfocus", "onmouseover", "autofocus")),
    *(
        f"{scheme}{_CODE}"
        for scheme in ("javascript:", "JaVaScRiPt:", "java\tscript:", "vbscript:")
    ),
    *("data:text/html,<script>alert(1)</script>", "https://evil.example/", "//evil.example/x.js"),
    *("[link](javascript:alert(1))", "![](https://evil.example/x.png)", "www.evil.example"),
    *(
        "{{constructor.constructor('alert(1)')()}}",
        "${alert(1)}",
        "<%= 7*7 %>",
        "#{7*7}",
        "{%raw%}",
    ),
    *("__proto__", "constructor", "prototype", "toString", "valueOf", "hasOwnProperty", "toJSON"),
    *("__defineGetter__", "then", "length", "innerHTML", "outerHTML", "onclick", "style", "srcdoc"),
    *("dataset", "nodeType", "id", "name", "class", "children", "undefined", "null", "NaN"),
    *(f"a{mark}b" for mark in "\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c"),
    *(f"a{mark}b" for mark in "\0\x01\x07\x08\x0b\x1b\x7f\x85\xad\u2028\u2029\ufeff\u200b\ufffe"),
    *(f"a{mark}b" for mark in ("\U000e0041\U000e007f", "\ud800", "\udfff\ud800", "\U0010ffff")),
    *("\x1b[2J\x1b]0;evil\x07", "a\r\nnext: leave_channel()\n", "\u0301" * 300, "ﷺ" * 400),
    *(
        "x" * 100_000,
        "<b>" * 33_333,
        "\u202e" * 4_001,
        "&lt;img src=x&gt;&#60;script&#62;",
        "&" * 999,
    ),
    *(
        "9" * 400,
        "1e999",
        "-0",
        "0x7fffffffffffffff",
        "8" * 64,
        "8/8/8/8/8/8/8/8 w - - 0 <img src=x>",
    ),
    *("expression(alert(1))", "url(//evil.example)", "@import '//evil.example'", "</style><img>"),
    *("<!--", "<![CDATA[", "<?php", "\\u003cimg src=x\\u003e", "%3Cimg%20src%3Dx%3E", "＜img＞"),
]
#: Functions of a text, each putting it into one field, or all of a kind, of what a page draws.
SHAPES = """
  const fen = "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1";
  const object = (...pairs) => Object.fromEntries(pairs);
  const kinds = ["chess", "grid", "cards", "dice", "table", "text", "range", "hash"];
  const values = {
    itself: (s) => s,
    list: (s) => [s, s, s],
    lists: (s) => [[s], [s, [s]]],
    object: (s) => object([s, s]),
    hands: (s) => object([s, { cards: [s, "TS"] }], ["bob", [[s], { cards: s }]]),
    rows: (s) => [object([s, s], ["player", s], ["cards", [s]]), object(["player", object([s])])],
    deep: (s) => [object(["player", [[[s]]]], ["cards", object(["cards", [object([s, s])]])])],
  };
  const more = (s) => ({ width: 2, low: s, high: s, last: s, opens: true, text: s, salt: s });
  const drawn = (item, moves = []) => () =>
    made.panel({ bot_id: "x", message: 1, ...item }, { moves });
  const turn = (expect, to = null) => ({ yours: true, players: ["a"], expect, to });
  const some = { id: 1, sender: "bob", kind: "user" };
  const said = (message) => () =>
    made.stage.append(made.feedItem({ ...some, ...message }, { you: "a" }));
  const controls = (state) => () => made.controls({ moves: [], ...state });
  const shapes = {};
  for (const panel of kinds) {
    for (const [name, value] of Object.entries(values)) {
      const item = (s) => ({ panel, value: value(s), ...more(s), title: s });
      shapes[`${panel} of ${name}`] = (s) => drawn(item(s));
    }
  }
  Object.assign(shapes, {
    "a kind of panel": (s) => drawn({ panel: s, value: s, title: s }),
    "a last move": (s) => drawn({ panel: "chess", value: fen, last: s, title: s }, [s]),
    "moves on a grid": (s) => drawn({ panel: "grid", value: ["", s], width: 1 }, [s, "1"]),
    "what opens": (s) => drawn({ panel: "hash", value: s, text: object([s, [s]]), salt: s }),
    "a whole way": (s) => () => {
      const show = [{ panel: "table", of: s, title: s }, { panel: "text", of: "a", in: s }];
      const bot = { bot_id: s, manifest: { show, params: object([s, s]) }, params: object([s, s]) };
      const body = object([s, object([s, s])], ["type", s], ["a", s]);
      const messages = [{ id: 1, entry: 1, sender: "bot:" + s, kind: "bot", body }];
      for (const item of made.findPanels(bot, messages)) made.panel(item);
      made.sideOf(bot, messages, s);
    },
    "texts that are expected": (s) => controls({ turn: turn([s, "a", s]) }),
    "many that are expected": (s) => controls({ turn: turn(Array(14).fill(s)) }),
    "moves that are expected": (s) =>
      controls({ turn: turn([{ type: "move", game: s, action: s, value: s }, object([s, s])]) }),
    "an action of another shape": (s) =>
      controls({ turn: turn([{ type: "move", action: object([s, s]), value: [s] }]) }),
    "an expect in words": (s) => controls({ turn: turn(s) }),
    "an expect of another shape": (s) => controls({ turn: turn(object([s, [s]])) }),
    "an expect that is sealed": (s) =>
      controls({ turn: turn({ body: [s], also: s, to: [s] }, [s]) }),
    "moves of a manifest": (s) => controls({ turn: null, moves: [s, s, object([s, s])] }),
    "a message": (s) =>
      said({ body: object(["text", s], ["type", s], [s, s], ["deep", [s]], ["_sd", s]) }),
    "a text of another shape": (s) =>
      said({ body: { text: object([s, s]), type: [s], [`a${s}`]: s } }),
    "a sender": (s) => said({ sender: s, kind: s, ts: s, body: { text: s } }),
    "a bot": (s) => said({ sender: "bot:" + s, kind: "bot", to: [s, s], body: { sealed: s } }),
    "who is to move": (s) =>
      said({ sender: "system", kind: "system", body: { type: "turn", players: [s], expect: s } }),
    "an end": (s) =>
      said({
        sender: "system", kind: "system",
        body: { type: "ended", winners: [s], reason: object([s, s]), scores: object([s, s]) },
      }),
    "what the room is called": (s) =>
      said({ sender: "system", kind: "system", body: { type: "renamed", name: s } }),
    "a referee that comes": (s) =>
      said({
        sender: "system", kind: "system",
        body: { type: "bot:manifest", bot_id: s, manifest: object([s, s]) },
      }),
    "a change": (s) =>
      said({
        sender: "system", kind: "system",
        body: { type: "change_proposed", by: s, changes: [s] },
      }),
    "an unknown word of the server": (s) =>
      said({ sender: "system", kind: "system", body: object(["type", s], [s, s]) }),
  });
"""
#: Draw each shape of each text; give back what a harmless text would not have brought about.
ATTEMPT = f"""async (told) => {{
  {SHAPES}
  const attributes = new Set(["class", "type", "tabindex", "role", "scope", "name", "autocomplete",
    "enterkeyhint", "min", "max", "value", "datetime", "aria-label", "aria-disabled",
    "aria-hidden", "hidden"]);
  const census = (draw) => {{
    made.stage.replaceChildren();
    draw();
    const counts = {{}};
    for (const one of made.stage.querySelectorAll("*")) {{
      counts[one.localName] = (counts[one.localName] ?? 0) + 1;
    }}
    return counts;
  }};
  const found = [];
  const texts = JSON.parse(told);
  for (const [name, shape] of Object.entries(shapes)) {{
    const seen = new Map();
    for (const text of texts) {{
      const tame = text.replace(/\\S/g, "x");
      try {{
        if (!seen.has(tame)) seen.set(tame, census(shape(tame)));
        const usual = seen.get(tame);
        const counts = census(shape(text));
        for (const [tag, count] of Object.entries(counts)) {{
          if (count > (usual[tag] ?? 0)) found.push(`${{name}}: ${{text.slice(0, 60)}}: ${{tag}}`);
        }}
        for (const one of made.stage.querySelectorAll("*")) {{
          for (const {{ name: attribute }} of one.attributes) {{
            if (!attributes.has(attribute)) found.push(`${{name}}: ${{attribute}}`);
          }}
        }}
        const shown = made.stage.innerText;
        if (/[\\0\\x1b\\u200b\\u202a-\\u202e\\u2066-\\u2069]/.test(shown)) {{
          found.push(`${{name}}: ${{text.slice(0, 60)}} is not written out`);
        }}
      }} catch (error) {{
        found.push(`${{name}}: ${{text.slice(0, 60)}}: ${{error}}`);
      }}
    }}
  }}
  await new Promise((done) => setTimeout(done, 50));
  return [Object.keys(shapes).length, found.slice(0, 20)];
}}"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def heard(staged: Page) -> AsyncIterator[Heard]:
    made = Heard()
    staged.on("dialog", lambda dialog: made.errors.append(dialog.message))
    made.listen(staged)
    yield made


async def attempt(page: Page, texts: list[str]) -> None:
    count, found = await page.evaluate(ATTEMPT, json.dumps(texts))
    assert count >= 75
    assert found == []


async def test_there_are_a_hundred_of_them() -> None:
    assert len(HOSTILE) == len(set(HOSTILE)) >= 100


@pytest.mark.parametrize("share", range(4))
async def test_no_word_of_a_stranger_becomes_markup(staged: Page, heard: Heard, share: int) -> None:
    await attempt(staged, HOSTILE[share::4])
    assert heard.errors == [] and heard.requests == []


@pytest.mark.parametrize("number", ["1e308", "-1e308", "5e-324", "123456789012345678901", "-0"])
async def test_no_number_is_too_much(staged: Page, heard: Heard, number: str) -> None:
    left = await staged.evaluate(
        """(told) => {
          const n = JSON.parse(told);
          for (const panel of "chess grid cards dice table text range hash".split(" ")) {
            for (const value of [n, [n, n], { a: n, b: [n] }, [{ a: n, cards: [n] }]]) {
              made.panel({ panel, value, width: n, low: -n, high: n, last: n, text: n, salt: n });
              made.panel({ panel, value, width: 1, low: n, high: -n, title: n, opens: n });
            }
          }
          made.controls({ turn: { yours: true, expect: [n, { action: n }], to: n }, moves: n });
          const said = { id: n, sender: "a", kind: "user", ts: n, body: { n } };
          made.stage.append(made.feedItem(said));
          made.clear();
          return made.count();
        }""",
        number,
    )
    assert left == 0
    assert heard.errors == [] and heard.requests == []


async def test_markup_would_have_been_found(staged: Page) -> None:
    """The test itself sees what it looks for."""
    count = await staged.evaluate(
        """() => {
          const said = { id: 1, sender: "a", kind: "user", body: { text: "x" } };
          made.stage.append(made.feedItem(said));
          const before = made.count();
          made.stage.querySelector("p").append(document.createElement("img"));
          return made.count() - before;
        }"""
    )
    assert count == 1


async def test_the_policy_itself_lets_no_text_become_markup(browser: Browser) -> None:
    """Behind all this stands the page's policy: what slipped through would not run."""
    with stage.served() as url:
        page = await browser.new_page()
        await page.goto(url)
        refused = await page.evaluate(
            """() => {
              try { document.body.innerHTML = "<img src=x>"; } catch (error) { return error.name; }
            }"""
        )
        assert refused == "TypeError"
        await page.close()
