# ruff: noqa: E501 the rows are read as a table
"""Two processes in which a hook runs differ; where a bot could see it, it is closed or found out."""

import json
import math
import os
import platform
import re
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mcp_multiplayer.sandbox.call import Failed, HookCall
from mcp_multiplayer.sandbox.host.forkserver import ELSEWHERE, Surroundings
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.sandbox.language.libm import math_names, power, settled
from mcp_multiplayer.sandbox.protocol.values import plain
from mcp_multiplayer.sandbox.runtime import DEEPEST, RULES, runtime

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROOT = Path(__file__).parents[3]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def other() -> AsyncIterator[Pool]:
    """Another zygote, with other addresses and another order of sets."""
    async with Pool(spares=1, surroundings=ELSEWHERE) as made:
        yield made


def bot(body: str) -> HookCall:
    """The body returns what the bot posts."""
    indented = textwrap.indent(textwrap.dedent(body).strip(), " " * 8)
    source = (
        "class Bot:\n    def on_init(self):\n        self.ctx.post('bot', {'v': self.f()})\n"
        f"    def f(self):\n{indented}\n"
    )
    return HookCall(source, "on_init", now=1_795_176_000.5, key=b"k" * 32)


async def said(pool: Pool, body: str) -> Any:
    result: Any = await pool.run(bot(body))
    assert not isinstance(result, Failed), result
    return result.said[0].body["v"]


#: Runs a hook in a process that is nothing like a worker, and deeper down its stack.
UNLIKE = """
import json, sys
import encodings.cp437, encodings.mac_roman, re, typing, urllib.parse, zipfile
from mcp_multiplayer.sandbox.protocol import values, wire
from mcp_multiplayer.sandbox.worker import hook, warmup
from mcp_multiplayer.sandbox.call import HookCall, Limits
from mcp_multiplayer.sandbox.hostcalls.dice import Dice
for n in range(300):
    re.compile(f'elsewhere {n}')
    urllib.parse.urlsplit(f'http://elsewhere/{n}')
warmup.ready()
call = HookCall(sys.stdin.read(), 'on_init', now=1795176000.5)
compiled = warmup.compile_here(call.source)
request = values.read(wire.hook_request(call, compiled, Limits()))
def deeper(n):
    return deeper(n - 1) if n else hook.answer(request, compiled.code, Dice(b'k' * 32).take)
print(json.dumps(deeper(200)))
"""


def elsewhere(body: str) -> Any:
    ran = subprocess.run(
        [sys.executable, "-c", UNLIKE],
        input=bot(body).source,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "TZ": "Asia/Tokyo",
            "LC_ALL": "C.UTF-8",
            "PYTHONHASHSEED": "0",
        },
        check=False,
    )
    assert not ran.returncode, ran.stderr
    told = json.loads(ran.stdout)
    assert "finished" in told, told
    return told["finished"]["said"][0]["body"]["v"]


#: What differs between two processes where nobody holds it still.
ALIKE = {
    "how deep the stack is": "def f(n):\n    try:\n        return f(n + 1)\n    except RecursionError:\n        return n\nreturn f(0)",
    "how deep it is in a library": "import json\ndef f(x, n):\n    try:\n        return f([x], n + 1) if n < 5000 and json.dumps(x) else n\n    except RecursionError:\n        return n\nreturn f([], 0)",
    "how deep it says it is": "import sys\nreturn sys.getrecursionlimit()",
    "the time zone": "import time, datetime\nreturn [str(datetime.datetime.now()), str(datetime.datetime.fromtimestamp(0)), time.strftime('%s %Z'), str(datetime.datetime(2026, 1, 1).timestamp())]",
    "when cycles are collected": "import weakref\nclass C: pass\nrefs = []\nfor i in range(3000):\n    c = C()\n    c.me = c\n    refs.append(weakref.ref(c))\nreturn sum(1 for r in refs if r() is None)",
    "what the interpreter says of itself": "import sys\nreturn [sys.version, list(sys.version_info), sys.platform, sys.byteorder]",
    "what libraries draw": "from email.mime.multipart import MIMEMultipart\nm = MIMEMultipart()\nreturn m.as_string()",
    "dice of its own": "import random\nr = random.Random(7)\nreturn [r.gauss(0, 1), r.random(), random.gauss(0, 1), random.betavariate(1, 2)]",
    "the order of members": "self.ctx.set_state({'b': 1.0, 'a': (1,)})\nreturn [list(self.ctx.get_state()), str(self.ctx.get_state())]",
    "which codecs there are": "def has(name):\n    try:\n        return len(b'ab'.decode(name)) and len('ab'.encode(name))\n    except LookupError as e:\n        return str(e)\nreturn [has(n) for n in ('cp437', 'mac-roman', 'cp1252', 'Latin-1', 'iso-8859-15', 'utf-16-le', 'gbk', 'hex', 'oem', 'ascii')]",
    "which patterns were compiled before": "import re\nfirst = re.compile('0')\nfor n in range(1, 600):\n    re.compile(str(n))\n    if re.compile('0') is not first:\n        break\nreturn n",
    "which addresses were taken apart before": "from urllib.parse import urlsplit\nfirst = urlsplit('http://a/0')\nfor n in range(1, 600):\n    urlsplit(f'http://a/{n}')\nreturn urlsplit('http://a/0') is first",
    "what a library imports late": "from email.message import EmailMessage\nm = EmailMessage()\nm['To'] = 'a@b.example'\nm.set_content('é')\nreturn m.as_string()",
    "the order of a set of its own objects": "class C: pass\nlot = [C() for _ in range(50)]\nreturn [lot.index(c) for c in set(lot)]",
    "the order of a set of its own errors": "class E(ValueError): pass\nlot = [E(n) for n in range(50)]\nreturn [e.args for e in set(lot)]",
    "what an object of its own is called": "class C: pass\nlot = [C() for _ in range(9)]\nreturn [repr(c) for c in lot] + [f'{self}', '%s' % lot, hash(self), self.__hash__(), super().__hash__()]",
    "which object is which": "import copy\nclass C: pass\na = C()\nseen = [id(a), id(copy.copy(a)), id(a), id('x'), id('x'), id([]), id([])]\nfor _ in range(99):\n    seen.append(id(C()))\nreturn seen",
    "what hashes there are": "import hashlib\nreturn sorted(hashlib.algorithms_available)",
}


@pytest.mark.parametrize("name", ALIKE)
async def test_it_is_the_same_in_another_process(pool: Pool, other: Pool, name: str) -> None:
    first = await said(pool, ALIKE[name])
    assert first == await said(other, ALIKE[name])
    assert first == elsewhere(ALIKE[name])


REFUSED = {
    "hash(object())": "TypeError: object has no hash that stays",
    "object().__hash__()": "AttributeError",
    "object.__hash__(self)": "AttributeError",
    "(2.0).__pow__(0.5)": "invalid attribute name",
    "float.__pow__(2.0, 0.5)": "invalid attribute name",
    "__import__('sys').getsizeof(1)": "invalid",
    "sys.getsizeof(1)": "has no attribute 'getsizeof'",
    "hashlib.new('ripemd160')": "ValueError: unsupported hash type",
    "hashlib.pbkdf2_hmac('ripemd160', b'', b'', 1)": "ValueError: unsupported hash type",
    "hmac.new(b'', b'', 'ripemd160')": "ValueError: unsupported hash type",
    "hmac.new(b'', b'', digestmod='sm3')": "ValueError: unsupported hash type",
    "hmac.HMAC(b'', b'', 'sm3')": "ValueError: unsupported hash type",
    "hmac.digest(b'', b'', 'ripemd160')": "ValueError: unsupported hash type",
}


@pytest.mark.parametrize("line", REFUSED)
async def test_what_tells_one_process_from_another_is_not_to_be_had(pool: Pool, line: str) -> None:
    result = await pool.run(bot(f"import sys, hashlib, hmac\nreturn str({line})"))
    assert isinstance(result, Failed) and REFUSED[line] in result.text, result


#: Where objects lie: the low digits are the same in every process, unless somebody stirs.
LYING = {
    "the order of a set of objects": "lot = [object() for _ in range(5)]\nreturn [lot.index(c) for c in set(lot)]",
    "the order of a set of functions of math": "import math\nlot = [math.sin, math.cos, math.tan, math.exp, math.log, math.sinh]\nreturn [lot.index(f) for f in set(lot)]",
    "the order of a set of functions of hashes": "import hashlib, hmac\nlot = [hashlib.new, hashlib.pbkdf2_hmac, hmac.new, hmac.digest]\nreturn [lot.index(f) for f in set(lot)]",
    "the order of a set of type hints": "import typing\nlot = [typing.Any, typing.Literal, typing.Final, typing.ClassVar, typing.NoReturn]\nreturn [lot.index(f) for f in set(lot)]",
    "the order of a set of modules": "import json, re, copy, math, base64\nlot = [json, re, copy, math, base64]\nreturn [lot.index(m) for m in set(lot)]",
    "the order of a set of its own functions": "def a(): pass\ndef b(): pass\ndef c(): pass\nlot = [a, b, c]\nreturn [lot.index(f) for f in set(lot)]",
    "the order of a set of its own methods": "lot = [self.f, self.on_init]\nreturn [lot.index(f) for f in set(lot)]",
    "the order of a set of its own classes": "class A: pass\nclass B: pass\nclass C: pass\nlot = [A, B, C]\nreturn [lot.index(f) for f in set(lot)]",
    "the order of functions made late": "for _ in range(9999):\n    made = [lambda: 1, lambda: 2, lambda: 3]\nreturn [made.index(f) for f in set(made)]",
    "the order of functions made when many are": "made = [lambda: n for n in range(9999)][-4:]\nreturn [made.index(f) for f in set(made)]",
    "the end of a repr": "return repr([object() for _ in range(8)][-1])[-5:]",
}


@pytest.mark.parametrize("name", LYING)
async def test_where_objects_lie_differs_and_is_found_out(other: Pool, name: str) -> None:
    """As often as a verifier tries it; every coin here falls on either side a quarter of the time
    or more, so that the same side 64 times is no luck."""
    first = await said(other, LYING[name])
    for _ in range(63):
        if await said(other, LYING[name]) != first:
            return
    pytest.fail(f"always {first}")


#: What all hooks of a zygote have in common lies where it lay in the zygote.
SHARED = {
    "json and re": "import json, re\nlot = [json.dumps, json.loads, re.compile, re.match]\nreturn [lot.index(f) for f in set(lot)]",
    "classes": "import json, collections\nlot = [json.JSONDecoder, json.JSONEncoder, collections.Counter]\nreturn [lot.index(f) for f in set(lot)]",
}


async def test_what_libraries_made_lies_elsewhere_in_each_zygote_of_a_verifier() -> None:
    seen: dict[str, set[str]] = {name: set() for name in SHARED}
    for _ in range(8):
        async with Pool(spares=1, surroundings=Surroundings(scattered=True, moved=True)) as pool:
            for name, body in SHARED.items():
                seen[name].add(json.dumps(await said(pool, body)))
        if all(len(orders) > 1 for orders in seen.values()):
            return
    pytest.fail(f"always {seen}")


async def test_state_is_read_back_as_the_log_holds_it(pool: Pool) -> None:
    body = "ctx.set_state({'z': 1.0, 'a': (2.5, -0.0)})\nreturn str(ctx.get_state())"
    call = bot("ctx = self.ctx\n" + body)
    result: Any = await pool.run(call)
    assert result.said[0].body["v"] == "{'a': [2.5, 0], 'z': 1}"
    assert json.dumps(result.state) == '{"a": [2.5, 0], "z": 1}'


async def test_what_a_hook_hears_is_as_the_log_holds_it(pool: Pool) -> None:
    source = "class Bot:\n    def on_timer(self, x):\n        self.ctx.post('bot', [str(v) for v in (x, self.params, self.ctx.get_state())][0])"
    told = {"b": 1.0, "a": (1,)}
    for line in ("x", "self.params", "self.ctx.get_state()"):
        source = (
            f"class Bot:\n    def on_timer(self, x):\n        self.ctx.post('bot', str({line}))"
        )
        result: Any = await pool.run(HookCall(source, "on_timer", (told,), told, told))
        assert result.said[0].body == {"text": "{'a': [1], 'b': 1}"}


@pytest.mark.parametrize("value", [math.exp(1.1), math.sin(2.0), 2**0.5, 1e-300 / 3, 1e300, -0.1])
async def test_twelve_digits_are_left(value: float) -> None:
    up, down = math.nextafter(value, math.inf), math.nextafter(value, -math.inf)
    assert settled(up) == settled(value) == settled(down)
    assert math.isclose(settled(value), value, rel_tol=1e-11)


async def test_whole_numbers_and_exact_results_stay() -> None:
    assert [power(2, 100), power(2.0, 10), power(3, 4, 5), power(2, -1)] == [2**100, 1024.0, 1, 0.5]
    assert type(power(2, 2)) is int and settled("x") == "x" and settled(True) is True
    assert math_names()["log"](8, 2) == 3.0
    assert settled(math.inf) == math.inf and math.isnan(settled(math.nan))


async def test_powers_of_every_spelling_are_settled(pool: Pool) -> None:
    body = "x = {'a': 2}\nself.y = z = 2\nx['a'] **= 0.5\nself.y **= 0.5\nz **= 0.5\nimport math\n"
    body += "return [2 ** 0.5, pow(2, 0.5), x['a'], self.y, z, math.pow(2, 0.5)]"
    assert await said(pool, body) == [1.41421356237] * 6


async def test_the_stack_is_as_deep_as_is_said(pool: Pool) -> None:
    found = await said(pool, ALIKE["how deep the stack is"])
    assert DEEPEST - 20 < found < DEEPEST


async def test_the_runtime_names_python_and_the_rules() -> None:
    version, _, rest = runtime().partition("+")
    assert version == f"cpython-{platform.python_version()}"
    assert re.fullmatch(rf"[0-9a-f]{{8}}/mpx-{RULES}", rest)


async def test_only_a_source_that_says_so_reaches_the_network(pool: Pool) -> None:
    for body in (
        "import urllib.parse\nu = urllib\nreturn u.request",
        "import http\nh = http\nreturn h.client",
    ):
        report = await pool.inspect(bot(body).source)
        result = await pool.run(bot(body))
        assert not report.network
        assert isinstance(result, Failed) and result.error == "AttributeError"
    body = "import urllib.parse, urllib.request\nreturn str(urllib.request.urlopen)[:9]"
    assert (await pool.inspect(bot(body).source)).network
    assert await said(pool, body) == "<function"


async def test_values_are_put_into_form_in_one_place() -> None:
    value = {"b": [1.0, (2,)], "a": {"\U0001f600": 1, "\uffff": 2}}
    assert json.dumps(plain(value, "v")) == json.dumps(
        {"a": {"\U0001f600": 1, "\uffff": 2}, "b": [1, [2]]}
    )


#: What one object may take, and what is too much, however it is asked for.
LARGE = {
    "a text": "len('x' * {})",
    "bytes": "len(bytes({}))",
    "bytes by calloc": "len(bytearray({}))",
    "a list": "8 * len([0] * ({} // 8))",
    "a number": "((1 << 8 * {} - 64).bit_length() + 63) // 8",
    "what grows": "(lambda b: [b.extend(bytes(1 << 16)) for _ in range({} >> 16)] and len(b))(bytearray())",
    "a list that grows": "8 * len(list(filter(None, range(1, {} // 9))))",
}
MB = 1 << 20


@pytest.mark.parametrize("name", LARGE)
async def test_one_object_has_so_much_memory_and_no_more(pool: Pool, name: str) -> None:
    for before in ("", "for _ in range(40):\n    'x' * 9000000\n"):
        for size, fits in ((15 * MB, True), (20 * MB, False), (40 * MB, False)):
            result = await pool.run(bot(f"{before}return {LARGE[name].format(size)} > 0"))
            if fits:
                assert not isinstance(result, Failed), (size, result)
            else:
                assert isinstance(result, Failed), (size, result)
                assert (result.error, result.killed) == ("MemoryLimit", True), (size, result)


async def test_many_objects_have_more(pool: Pool) -> None:
    body = "lot = ['x' * 15000000 for _ in range(20)]\nmore = [str(n) * 9 for n in range(400000)]\nreturn sum(map(len, lot))"
    assert await said(pool, body) == 20 * 15_000_000


async def test_what_a_class_is_called_does_not_say_where_it_stands(pool: Pool) -> None:
    body = "import json\nreturn [str(type(self.ctx)), str(type(json)), str(type(print))]"
    assert await said(pool, body) == [
        "<class 'Context'>",
        "<class 'Module'>",
        "<class 'method'>",
    ]
