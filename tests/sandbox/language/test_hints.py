"""Hints for the mistakes that authors make, provoked as they make them."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_multiplayer.errors import BotRejected
from mcp_multiplayer.sandbox.call import Failed, HookCall
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.sandbox.language.hints import hint_for
from mcp_multiplayer.sandbox.worker.context import Context


def raised(error: type[BaseException], *args: Any, line: str = "") -> str:
    return hint_for(error(*args), line)


@pytest.mark.parametrize(
    ("error", "args", "line", "words"),
    [
        (KeyError, ("player",), 'self.s[msg["player"]]', '"sender", not "player"'),
        (KeyError, ("text",), 'msg["text"]', 'body"]["text'),
        (KeyError, ("bet",), 'msg["body"]["bet"]', 'msg["body"].get("bet")'),
        (KeyError, ("n",), "self.s['n'] += 1", "the state is {} until set_state"),
        (KeyError, (1,), "self.s[1]", ".get(1, ...)"),
        (KeyError, ("low",), "params['low']", 'params.get("low"'),
        (NameError, ("name 'ctx' is not defined",), "", ""),
        (AttributeError, ("'dict' object has no attribute 'sender'",), "", 'write ["sender"]'),
        (AttributeError, ("'dict' object has no attribute 'lower'",), "", '.get("text", "")'),
        (AttributeError, ("'NoneType' object has no attribute 'x'",), "", "give it a default"),
        (AttributeError, ("'Context' object has no attribute 'send'",), "", "ctx has post"),
        (AttributeError, ("'B' object has no attribute 'ctx'",), "", "self.ctx = ctx"),
        (AttributeError, ("'B' object has no attribute 'foo'",), "", ""),
        (AttributeError, ("'B' object has no attribute 'n'",), "self.n += 1", "built anew"),
        (TypeError, ("B.on_message() takes 1 positional argument but 2",), "", "(self, msg)"),
        (
            TypeError,
            ("B.__init__() takes 2 positional arguments but 3",),
            "",
            "(self, ctx, params)",
        ),
        (TypeError, ("Context.end() missing 1 required",), "", "winners"),
        (TypeError, ("'list' object is not callable",), "self.ctx.players()", "without ()"),
        (TypeError, ("'Module' object is not callable",), "self.ctx.random()", ".randint(1, 6)"),
        (TypeError, ("unsupported: 'method' and 'int'",), "self.ctx.now + 1", "with ()"),
        (ValueError, ("post: kind must be a short word",), "", "the kind first"),
        (ValueError, ("invalid literal for int() with base 10: 'x'",), "", "look first"),
        (IndexError, ("list index out of range",), "", "len(...)"),
        (OSError, (1,), "", ""),
    ],
)
def test_a_usual_mistake_gets_a_hint(
    error: type[BaseException], args: tuple[Any, ...], line: str, words: str
) -> None:
    said = raised(error, *args, line=line)
    assert (words in said) if words else not said


def test_what_ctx_can_do_is_listed_in_full() -> None:
    said = raised(AttributeError, "'Context' object has no attribute 'send'")
    assert not [name for name in dir(Context) if not name.startswith("_") and name not in said]


def test_a_key_of_the_bots_own_kind_is_not_asked_for_its_words() -> None:
    class Own:
        def __repr__(self) -> str:
            raise AssertionError

    assert ".get(..., ...)" in raised(KeyError, Own())


@pytest.mark.asyncio(loop_scope="module")
async def test_the_hint_reaches_the_author_with_the_line(pool: Pool) -> None:
    source = "class B:\n    def on_join(self, p):\n        self.ctx.get_state()['n'] += 1\n"
    failed = await pool.run(HookCall(source, "on_join", ("alice",), key=b"k" * 32))
    assert isinstance(failed, Failed)
    assert (failed.error, failed.line) == ("KeyError", 3)
    assert "\n  hint: the state is {} until set_state" in failed.text


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("body", ["await x", "return await x", "lambda: (await x)", "[await x]"])
async def test_await_is_refused_by_its_line_wherever_it_stands(pool: Pool, body: str) -> None:
    with pytest.raises(BotRejected, match="Line 3: Await statements are not allowed: hooks are"):
        await pool.inspect(f"class B:\n    def on_init(self):\n        {body}\n")
