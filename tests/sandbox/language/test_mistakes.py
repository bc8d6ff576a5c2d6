# ruff: noqa: E501 the rows are read as a table
"""What compiles and was not meant is refused with its line; what may be meant is not."""

import ast
import importlib
import sys
import textwrap
from unittest.mock import MagicMock

import pytest

from mcp_multiplayer.errors import BotRejected
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.sandbox.language import imports, mistakes
from mcp_multiplayer.sandbox.language.modules import Modules, stand_ins
from mcp_multiplayer.sandbox.worker.stdio import Stdio
from mcp_multiplayer.transcript.names import HOOKS

BOT = "\nclass Bot:\n    def on_message(self, msg):\n        self.ctx.post('bot', msg['body'])\n"

#: (source, line, what its refusal has to name)
LACKING = {
    "a name of typing": ("from typing import NamedTuple", 1, ("NamedTuple", "List", "TypeVar")),
    "a near miss": ("import json\nfrom math import sqr", 2, ("did you mean sqrt", "ceil")),
    "another case": ("from collections import defaultDict", 1, ("did you mean defaultdict",)),
    "one of several": ("from re import match, template", 1, ("template", "fullmatch")),
    "with another name": ("from sys import path as p", 1, ("path", "platform")),
    "in a function": ("def f():\n    from os_ import x\n    from time import clock", 3, ("clock",)),
    "a submodule": ("from json import decoder", 1, ("decoder", "JSONDecoder")),
    "an attribute": ("import typing\nN = typing.NamedTuple", 2, ("NamedTuple",)),
    "an attribute, renamed": ("import math as m\nx = m.squareroot(4)", 2, ("squareroot",)),
    "an attribute of a submodule": ("import urllib.parse\nurllib.parse.quot('a')", 2, ("quote",)),
    "an attribute of a package": ("from urllib import parse\nparse.quot('a')", 2, ("quote",)),
    "a module below that is not imported": ("import http\nhttp.client", 2, ("import http.client",)),
    "a module under a module": ("import random\nx = random._os\nrandom.os", 3, ("os",)),
}


def found(source: str) -> list[tuple[int | None, str]]:
    return mistakes.find(ast.parse(textwrap.dedent(source)))


@pytest.mark.parametrize("name", LACKING)
def test_a_name_that_a_module_does_not_have_is_refused(name: str) -> None:
    source, line, named = LACKING[name]
    assert [at for at, _ in found(source + BOT)] == [line]
    assert all(word in found(source + BOT)[0][1] for word in named)


@pytest.mark.parametrize(
    "source",
    [
        "import urllib.parse\nurllib.parse.quote('a')",
        "from http import client",
        "import http.client\nhttp.client.HTTPConnection",
        "import http\nhttp.HTTPStatus.OK",
        "from datetime import datetime\ndatetime.nothing",
        "import datetime\nx = datetime.datetime.now().nothing",
        "try:\n    from typing import NamedTuple\nexcept ImportError:\n    NamedTuple = tuple",
        "import math\nf = math.sumprod2 if hasattr(math, 'sumprod2') else None",
        "import math\nmath = {}\nmath.nothing",
        "import math\ndef f(math):\n    return math.nothing",
        "import random as json\nimport json\njson.dumps(1)",
        "import sys, itertools\nif sys.version_info >= (3, 99):\n    itertools.batched2([], 2)",
        "import typing\nif typing.TYPE_CHECKING:\n    from typing import TypedDict",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from typing import Protocol",
        "from typing import Any, List, Optional",
        "from __future__ import annotations",
    ],
)
def test_a_name_that_is_there_or_may_be_is_not(source: str) -> None:
    assert found(source + BOT) == []


def test_a_name_that_this_python_lacks_is_refused() -> None:
    for path, since in imports.SINCE.items():
        module, _, name = path.rpartition(".")
        refused = [at for at, _ in found(f"from {module} import {name}{BOT}")]
        assert refused == ([] if sys.version_info >= since else [1])


def test_the_list_of_names_is_what_a_bot_finds() -> None:
    made = Modules(MagicMock(), MagicMock(), Stdio(100, ""), networked=True)
    for path in imports.TABLE:
        library, own = importlib.import_module(path), made.own(path) | stand_ins(path)
        for name in imports.names(path):
            assert name in own or hasattr(library, name), f"{path}.{name}"
        assert own.keys() <= imports.names(path), f"names of {path} that are in no list"
        assert set(imports.OWN.get(path, "").split()) <= own.keys(), path


HOOKLIKE = {
    "a letter less": ("class A:\n def on_mesage(self, m): 1", 2, "did you mean on_message"),
    "a letter less beside others": (
        "class A:\n def on_init(self): 1\n def on_mesage(self, m): 1",
        3,
        "did you mean on_message",
    ),
    "another case": ("class A:\n def onMessage(self, m): 1", 2, "did you mean on_message"),
    "no line": (
        "class A:\n def onstart(self): 1\n def on_init(self): 1",
        2,
        "did you mean on_start",
    ),
    "assigned": ("def f(s, m): 1\nclass A:\n on_massage = f", 3, "did you mean on_message"),
    "inherited": (
        "class B:\n def on_tmer(self, n): 1\nclass A(B):\n def on_init(self): 1",
        2,
        "on_timer",
    ),
    "like nothing": ("class A:\n def on_init(self): 1\n def on_wish(self): 1", 3, "on_wish"),
    "twice": (
        "class A:\n def on_init(self): 1\n def on_init(self): 2",
        3,
        "on_init is written twice",
    ),
    "outside of the class": (
        "class A:\n def on_init(self): 1\ndef on_message(self, m): 1",
        3,
        "no method of a class",
    ),
    "inside of another": (
        "class A:\n def on_init(self):\n  1\n  def on_message(self, m): 1",
        4,
        "no method",
    ),
    "without a class": ("def on_message(msg):\n return 1", 1, "no method of a class"),
    "under a condition in the class": (
        "class A:\n def on_init(self): 1\n if True:\n  def on_join(self, p): 1",
        4,
        "no method",
    ),
    "a second class": (
        "class A:\n def on_init(self): 1\n def on_join(self, p): 1\nclass B:\n def on_timer(self, n): 1",
        4,
        "the referee is class A",
    ),
    "a second class with as many": (
        "class A:\n def on_init(self): 1\nclass B:\n def on_init(self): 1",
        1,
        "the referee is class B",
    ),
    "a class of the same name": (
        "class A:\n def on_init(self): 1\nclass A:\n def on_join(self, p): 1",
        3,
        "2 times",
    ),
    "no hook at all": ("x = 1\nclass A:\n def message(self, m): 1", 2, "class A has no hook"),
}


@pytest.mark.parametrize("name", HOOKLIKE)
def test_a_hook_that_would_never_be_called_is_refused(name: str) -> None:
    source, line, words = HOOKLIKE[name]
    assert [at for at, _ in found(source)] == [line]
    assert words in found(source)[0][1]


MEANT = {
    "a method the class calls": """
        class A:
            def on_message(self, msg):
                self.on_wish(msg)
            def on_wish(self, msg):
                pass
        """,
    "methods by made-up names": """
        class A:
            def on_message(self, msg):
                getattr(self, "on_" + msg["body"]["type"])(msg)
            def on_bid(self, msg):
                pass
        """,
    "a method that a decorator keeps": """
        HANDLERS = {}
        def handles(word):
            def keep(method):
                HANDLERS[word] = method
                return method
            return keep
        class A:
            def on_message(self, msg):
                HANDLERS[msg["body"]["text"]](self, msg)
            @handles("go")
            def on_go(self, msg):
                pass
        """,
    "methods by longer made-up names": """
        class A:
            def on_message(self, msg):
                getattr(self, "on_message_" + msg["body"]["type"])(msg)
                getattr(self, f"on_phase_{msg['body']['type']}")(msg)
            def on_message_bid(self, msg):
                pass
            def on_phase_night(self, msg):
                pass
        """,
    "methods by formatted names": """
        class A:
            def on_message(self, msg):
                getattr(self, f"on_{msg['kind']}")(msg)
            def on_bid(self, msg):
                pass
        """,
    "methods in a table": """
        class A:
            moves = {"bid": "on_bid"}
            def on_message(self, msg):
                getattr(self, self.moves["bid"])(msg)
            def on_bid(self, msg):
                pass
        """,
    "a helper": """
        class Card:
            def only(self):
                pass
        class A:
            def on_init(self):
                Card()
        """,
    "a base": """
        class Base:
            def on_init(self):
                pass
            def on_join(self, player_id):
                pass
        class A(Base):
            def on_init(self):
                super().on_init()
        """,
    "phases with hooks of their own": """
        class Lobby:
            def on_message(self, msg):
                pass
            def on_join(self, player_id):
                pass
        class Game:
            def on_message(self, msg):
                self.phase = Lobby()
                self.phase.on_message(msg)
        """,
    "a hook by assignment": """
        def on_message(self, msg):
            pass
        class A:
            on_message = on_message
        """,
    "one class or the other": """
        if 1:
            class A:
                def on_init(self):
                    pass
        else:
            class A:
                def on_join(self, player_id):
                    pass
        """,
    "a class that names itself": """
        class A:
            def on_init(self):
                A.n = 1
        """,
    "all hooks": "class A:\n"
    + "".join(f"    def {hook}(self, *a):\n        pass\n" for hook in HOOKS),
    "a text with a class in it": "class Terms:\n    delivery = 'by Friday'",
}


@pytest.mark.parametrize("name", MEANT)
def test_what_may_be_meant_is_let_pass(name: str) -> None:
    assert found(MEANT[name]) == []


@pytest.mark.asyncio(loop_scope="module")
async def test_the_class_that_uses_the_others_is_the_referee(pool: Pool) -> None:
    source = textwrap.dedent(MEANT["phases with hooks of their own"])
    report = await pool.inspect(source)
    assert (report.class_name, report.hooks) == ("Game", ("on_message",))


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("source", "line"),
    [("from typing import NamedTuple" + BOT, 1), (HOOKLIKE["another case"][0], 2)],
)
async def test_the_refusal_is_told_at_attach(pool: Pool, source: str, line: int) -> None:
    with pytest.raises(BotRejected, match=f"Line {line}: "):
        await pool.inspect(source)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_deep_source_is_told_to_be_too_deep(pool: Pool) -> None:
    with pytest.raises(BotRejected, match="nested too deep"):
        await pool.inspect("import json\nx = json" + ".a" * 4000 + BOT)
