# ruff: noqa: E501 the rows are read as a table
"""What inspection finds: hooks and class, texts, manifests, and refusals with a line."""

import textwrap
from typing import Any

import pytest

from mcp_multiplayer.errors import BotRejected, TooLarge
from mcp_multiplayer.sandbox.call import Failed, Finished, HookCall, Limits, SourceReport
from mcp_multiplayer.sandbox.host.pool import Pool

pytestmark = pytest.mark.asyncio(loop_scope="module")

CLASSES = {
    "one class": ("class A:\n def on_init(self): pass", "A", ("on_init",)),
    "a helper before": (
        "class Card:\n def name(self): pass\nclass A:\n def on_message(self, m): pass",
        "A",
        ("on_message",),
    ),
    "a helper after": (
        "class A:\n def on_init(self): pass\nclass Card:\n x = 1",
        "A",
        ("on_init",),
    ),
    "the one with most hooks": (
        "class A:\n def on_init(self): pass\n def on_join(self, p): pass\n"
        "class B:\n def on_init(self): pass\nBOTH = A, B",
        "A",
        ("on_init", "on_join"),
    ),
    "the last of equals": (
        "class A:\n def on_init(self): pass\nclass B:\n def on_init(self): pass\nBOTH = A, B",
        "B",
        ("on_init",),
    ),
    "inherited hooks": (
        "class Base:\n def on_init(self): pass\n def on_join(self, p): pass\n"
        "class B(Base):\n def on_message(self, m): pass",
        "B",
        ("on_init", "on_join", "on_message"),
    ),
    "an assigned hook": (
        "def hear(self, m): pass\nclass A:\n on_message = hear",
        "A",
        ("on_message",),
    ),
    "under a condition": (
        "try:\n import json\nexcept ImportError:\n pass\nif True:\n class A:\n  def on_init(self): pass",
        "A",
        ("on_init",),
    ),
    "no hooks": ("class A:\n pass", "A", ()),
    "the one that uses the others": (
        "class B:\n def on_init(self): pass\n def on_join(self, p): pass\n"
        "class A:\n def on_init(self): B().on_init()",
        "A",
        ("on_init",),
    ),
}


@pytest.mark.parametrize("name", CLASSES)
async def test_the_referee_is_the_class_with_the_hooks(pool: Pool, name: str) -> None:
    source, class_name, hooks = CLASSES[name]
    report = await pool.inspect(source)
    assert (report.class_name, report.hooks) == (class_name, hooks)


TEXTS = [
    "",
    "# Judge bot that interprets agreed-upon rules\n# The bot's code IS the contract\n",
    "Both parties agree to deliver by Friday.",
    "The first-class ticket is Bob's; the class of 2026 pays.\nimport duties are Alice's.",
    "Rules:\n1. be kind (always\n2. don't lie",
    "\N{SNOWMAN} vertrag: wer zu spät kommt, zahlt",
    "x = 1",
    "(" * 5000,
]


@pytest.mark.parametrize("text", TEXTS)
async def test_a_source_without_a_class_is_a_text(pool: Pool, text: str) -> None:
    assert await pool.inspect(text) == SourceReport((), None, None, False, False)
    assert await pool.run(HookCall(text, "on_init")) == Finished()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("class A:\n  def on_init(self)\n    pass", "Line 2: expected ':'"),
        ("class A:\n x = 1\n  y = 2", "Line 3: unexpected indent"),
        ("class A:\n  def f(self):\n    return eval('1')", "Line 3: Eval calls are not allowed"),
        ("class A:\n  async def on_init(self): pass", "Line 2: AsyncFunctionDef statements"),
        ("class A:\n  pass\nimport os\nimport sys\neval('1')", "Line 3: Import of 'os' is not"),
        ("MANIFEST = {'a': f()}\nclass A:\n  pass", "Line 1: MANIFEST must be a literal"),
        ("class A: pass\nMANIFEST = [1]", "Line 2: MANIFEST must be a dict"),
        ("MANIFEST = {1: 2}\nclass A: pass", "MANIFEST: the key 1 is not a string"),
        ("class A: pass\nx = 1\x00", "Line 2: The source holds a NUL character"),
        ("class A:\n x = " + "(" * 300 + ")" * 300, "too many nested parentheses"),
        ("class A:\n x = " + "-" * 30_000 + "1", "nested too deep"),
        ("class A:\n x = '\ud800'", "not valid Unicode"),
    ],
)
async def test_broken_code_is_rejected_with_its_line(pool: Pool, source: str, words: str) -> None:
    with pytest.raises(BotRejected) as refusal:
        await pool.inspect(source)
    assert words in str(refusal.value)


async def test_names_of_any_length_are_told_in_few_words(pool: Pool) -> None:
    with pytest.raises(BotRejected, match="Line 1: Import of 'aaa") as refusal:
        await pool.inspect(f"import {'a' * 30_000}\nclass {'B' * 10_000}: pass")
    assert len(str(refusal.value)) < 500
    result = await pool.run(
        HookCall(f"import {'a' * 30_000}\nclass B:\n def on_init(s): 1", "on_init")
    )
    assert isinstance(result, Failed) and result.error == "BotRejected"


async def test_every_reason_is_told_up_to_a_few(pool: Pool) -> None:
    with pytest.raises(BotRejected, match=r"Line 2: .*; Line 3: .*; and 2 more"):
        await pool.inspect("class A: pass\n" + "eval('1')\n" * 6)


async def test_a_source_that_is_too_large_is_not_even_looked_at(pool: Pool) -> None:
    with pytest.raises(TooLarge, match="49155 bytes"):
        await pool.inspect("#" + "\N{EURO SIGN}" * (Limits().source // 3) + "  ")


async def test_the_limit_of_what_players_bring_is_none_of_a_presets(pool: Pool) -> None:
    text = "#" + "x" * Limits().source
    assert (await pool.inspect(text, inline=False)).class_name is None


async def test_a_manifest_is_read_and_not_run(pool: Pool) -> None:
    report = await pool.inspect(
        "MANIFEST = {'name': 'X', 'seats': ('a', 'b'), 'n': -1}\nclass X: pass\nMANIFEST['y'] = 1"
    )
    assert report.manifest == {"name": "X", "seats": ["a", "b"], "n": -1}


@pytest.mark.parametrize(
    ("line", "network", "dice"),
    [
        ("import json", False, False),
        ("import requests", True, False),
        ("import urllib.request as u", True, False),
        ("from urllib.parse import quote", False, False),
        ("from urllib import request", True, False),
        ("from http import HTTPStatus", False, False),
        ("import http.client", True, False),
        ("import ssl, socket", True, False),
        ("import random", False, True),
        ("from email.mime.multipart import MIMEMultipart", False, True),
        ("from secrets import token_hex", False, True),
        ("f = lambda self: self.ctx.random.choice([1])", False, True),
    ],
)
async def test_reach_is_read_from_the_imports(
    pool: Pool, line: str, network: bool, dice: bool
) -> None:
    report = await pool.inspect(f"{line}\nclass A: pass")
    assert (report.network, report.dice) == (network, dice)


DESIGN = {
    "echo": """
        class EchoBot:
            def __init__(self, ctx, params):
                self.ctx = ctx

            def on_init(self):
                self.ctx.post('system', {'text': 'Echo ready'})

            def on_message(self, msg):
                if msg.get('kind') == 'user':
                    self.ctx.post('bot', {'echo': msg.get('body')})
        """,
    "price": """
        import requests
        class BitcoinPriceBot:
            def __init__(self, ctx, params):
                self.ctx = ctx
            def on_init(self):
                self.ctx.post('system', {'text': '🤖 Bitcoin Price Bot ready! Type "price" to check BTC.'})
            def on_message(self, msg):
                if 'price' in msg.get('body', {}).get('text', '').lower():
                    resp = requests.get('https://api.coinbase.com/v2/prices/BTC-USD/spot')
                    price = resp.json()['data']['amount']
                    self.ctx.post('bot', {'text': f'💰 Current BTC: ${price} USD'})
        """,
    "three imports": """
        import random
        import json
        import requests  # ✅ Network requests allowed

        class BitcoinBot:
            def on_init(self):
                # Fetch BTC price from public API
                resp = requests.get("https://api.coinbase.com/v2/exchange-rates?currency=BTC")
                data = resp.json()
                price = data["data"]["rates"]["USD"]

                self.ctx.post("bot", {
                    "type": "ready",
                    "message": f"BTC price: ${price}"
                })

            def on_message(self, msg):
                roll = random.randint(1, 6)
                self.ctx.post("bot", {"roll": roll})
        """,
}
MESSAGE = {"id": 1, "sender": "alice", "kind": "user", "body": {"text": "price"}, "ts": "t"}


async def test_the_examples_of_the_design_attach_and_run(pool: Any) -> None:
    sources = {name: textwrap.dedent(text) for name, text in DESIGN.items()}
    for source in sources.values():
        assert (await pool.inspect(source)).hooks == ("on_init", "on_message")
    said = (await pool.run(HookCall(sources["echo"], "on_message", (MESSAGE,)))).said
    assert said[0].body == {"echo": {"text": "price"}}
    said = (await pool.run(HookCall(sources["price"], "on_init"))).said
    assert said[0].kind == "system" and "BTC" in said[0].body["text"]
    result = await pool.run(HookCall(sources["price"], "on_message", (MESSAGE,)))
    assert (result.error, result.line) == ("ConnectionError", 10)
    assert "bots of this server have no network (BOT_EGRESS=none)" in result.text
    roll = (await pool.run(HookCall(sources["three imports"], "on_message", (MESSAGE,)))).said[0]
    assert 1 <= roll.body["roll"] <= 6
