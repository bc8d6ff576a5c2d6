# ruff: noqa: E501 one bot a line
"""Odd bots: what a referee can do to a process, its own and nobody else's, and to itself.

Whatever comes of such a hook has to come of it wherever it runs. To the vandals here come the bots
of tests/attacks/ and tests/sandbox/ that look for what differs.
"""

from __future__ import annotations

import textwrap

from tests.attacks.test_bot_gadgets import GADGETS, source
from tests.attacks.test_bot_hostility import HOSTILE
from tests.attacks.test_memory_left import HEAD, HIDDEN
from tests.sandbox.worker.test_normalize import ALIKE

#: Of builtins, modules, collected cycles, memory, order, texts, numbers and errors.
VANDALS = {
    "print is another": "global print\nprint = len\nreturn print([1, 2])",
    "len is another": "len = lambda x: 7\nreturn len([])",
    "str is another": "class str:\n    def __repr__(self):\n        return 'mine'\nreturn repr(str())",
    "an attribute of a builtin": "dict.fromkeys = 1",
    "an item of the builtins": "__builtins__['len'] = 1",
    "a module's function": "import json\njson.dumps = len",
    "a module's class": "import collections\ncollections.Counter.most_common = len",
    "a module's constant": "import math\nmath.pi = 3",
    "a module of its own name": "import json as math\nreturn math.dumps({'b': 1, 'a': 2})",
    "deletes a module's name": "import json\ndel json.loads",
    "a library's settings": "import re\nre.purge()\nreturn [re.compile('a') is re.compile('a') for _ in range(3)]",
    "a decimal of a library": "import statistics\nreturn 1",
    "default arguments that stay": "def f(x, seen=[]):\n    seen.append(x)\n    return list(seen)\nreturn [f(1), f(2), f(3)]",
    "a class that changes": "class C:\n    n = 0\nfor i in range(5):\n    C.n += i\nreturn C.n",
    "an object that lies about its class": "class C:\n    __class__ = int\nreturn [isinstance(C(), int), str(type(C()))]",
    "an object that lies about equality": "class C:\n    def __eq__(self, other):\n        return True\nreturn [C() == 1, C() in [1, 2], [1, 2].index(C())]",
    "a hash by equality": "class C:\n    def __eq__(self, other):\n        return True\n    def __hash__(self):\n        return 1\nreturn len({C(), C(), C()})",
    "a hash that changes": "class C:\n    n = 0\n    def __hash__(self):\n        C.n += 1\n        return C.n\nlot = {C() for _ in range(9)}\nreturn [len(lot), C.n]",
    "a length that lies": "class C:\n    def __len__(self):\n        return 10 ** 9\n    def __getitem__(self, i):\n        if i > 5:\n            raise IndexError\n        return i\nreturn [list(iter(C())), bool(C())]",
    "an iterator without end": "class C:\n    def __iter__(self):\n        return self\n    def __next__(self):\n        return 1\nfor x in C():\n    pass",
    "an iterator without end in C": "import itertools\nreturn sum(itertools.islice(itertools.count(), 10 ** 5))",
    "generators in generators": "def g(n):\n    if n:\n        yield n\n        yield from g(n - 1)\nreturn sum(g(200))",
    "a generator closed late": "seen = []\ndef g():\n    try:\n        yield 1\n    finally:\n        seen.append('closed')\nx = g()\nnext(x)\ndel x\nreturn seen",
    "cycles": "class C:\n    pass\nfor _ in range(2000):\n    a, b = C(), C()\n    a.b, b.a = b, a\nreturn 1",
    "cycles with weak references": "import weakref\nseen = []\nclass C:\n    pass\na = C()\na.me = a\nr = weakref.ref(a, seen.append)\ndel a\nreturn [r() is None, len(seen)]",
    "a set of weak references": "import weakref\nclass C:\n    pass\nlot = [C() for _ in range(20)]\ns = weakref.WeakSet(lot)\ndel lot[:10]\nreturn len(s)",
    "the order of weak keys": "import weakref\nclass C:\n    def __init__(self, n):\n        self.n = n\nlot = [C(n) for n in range(20)]\nd = weakref.WeakKeyDictionary((c, c.n) for c in lot)\nreturn [c.n for c in d]",
    "much memory, a bit at a time": "x = []\nfor i in range(2000):\n    x.append('a' * 1000)\nreturn len(x)",
    "one object of eight megabytes": "return len('x' * (8 << 20))",
    "one object of sixteen megabytes": "return len('x' * (16 << 20))",
    "one object of seventeen megabytes": "return len('x' * (17 << 20))",
    "one list of many": "return len([0] * (1 << 20))",
    "one list of too many": "return len([0] * (1 << 22))",
    "a number without end": "return len(str(3 ** 20000)[:4000])",
    "a text of a large number": "return str(10 ** 5000)",
    "a number of a long text": "return int('9' * 5000)",
    "a deep list": "x = []\nfor _ in range(50):\n    x = [x]\nreturn x",
    "a list too deep": "x = []\nfor _ in range(500):\n    x = [x]\nself.ctx.set_state({'x': x})",
    "a list that holds itself": "x = []\nx.append(x)\nreturn x",
    "a state that holds itself": "x = {}\nx['x'] = x\nself.ctx.set_state(x)",
    "deep calls": "def f(n):\n    return n and 1 + f(n - 1)\nreturn f(900)",
    "calls too deep": "def f(n):\n    return 1 + f(n + 1)\nreturn f(0)",
    "calls too deep that catch it": "def f(n):\n    try:\n        return f(n + 1)\n    except RecursionError:\n        return n\nreturn f(0)",
    "calls too deep in a library": "import json\nx = []\nfor _ in range(2000):\n    x = [x]\ntry:\n    return len(json.dumps(x))\nexcept RecursionError:\n    return 'too deep'",
    "calls too deep in a copy": "import copy\nx = []\nfor _ in range(2000):\n    x = [x]\ntry:\n    copy.deepcopy(x)\n    return 'copied'\nexcept RecursionError:\n    return 'too deep'",
    "calls too deep in a repr": "x = []\nfor _ in range(2000):\n    x = [x]\ntry:\n    return len(repr(x))\nexcept RecursionError:\n    return 'too deep'",
    "calls too deep in a comparison": "def deep():\n    x = []\n    for _ in range(2000):\n        x = [x]\n    return x\ntry:\n    return deep() == deep()\nexcept RecursionError:\n    return 'too deep'",
    "an error in an error": "try:\n    1 / 0\nexcept ZeroDivisionError:\n    raise KeyError('x')",
    "an error of its own": "class E(Exception):\n    pass\nraise E('mine')",
    "an error named as ours": "class TimeLimit(Exception):\n    pass\nraise TimeLimit('mine')",
    "an error without a text": "class E(Exception):\n    def __str__(self):\n        raise ValueError\nraise E",
    "an exit": "raise SystemExit(3)",
    "an interrupt": "raise KeyboardInterrupt",
    "catches all": "try:\n    raise KeyboardInterrupt\nexcept BaseException as e:\n    return repr(e)",
    "a group of errors": "raise ExceptionGroup('x', [ValueError(1)])",
    "ticks to the end": "while True:\n    pass",
    "ticks to the end that are caught": "while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n        pass",
    "ticks nearly to the end": "n = 0\nwhile n < 199900:\n    n += 1\nreturn n",
    "the order of a set of texts": "return list({'a', 'b', 'c', 'd', 'e', 'f', 'g'})",
    "the order of a set of numbers": "return list({9, 1, 1 << 40, 2.5, -3, 1 << 61})",
    "the order of a set of tuples": "return list({(1, 2), (3, 4), (5, 'a'), ()})",
    "the order of a set of bytes": "return [x.hex() for x in {b'a', b'b', b'c', b'd'}]",
    "the order of a set with none": "return len({None, True, 2, 'x'})",
    "the order of a frozen set": "return sorted(map(str, frozenset(['x', 'y', (1,)])))",
    "the order of a dict": "d = {}\nfor n in (5, 3, 9):\n    d[n] = n\ndel d[3]\nd[3] = 1\nreturn list(d)",
    "the hash of a text": "return hash('abc')",
    "the hash of a number": "return [hash(1.5), hash(10 ** 30), hash(-1)]",
    "the hash of a tuple": "return hash((1, 2, 3))",
    "the id of things": "x = [1]\nreturn [id(x) == id(x), id(x), id([]), id(None)]",
    "the repr of things": "class C:\n    pass\nreturn [repr(C()), repr(C().__init__)[:30], str(lambda: 0)[:20]]",
    "not a number": "x = float('nan')\nreturn [x == x, str(x), len({x, x, float('nan')}), sorted([3, x, 1])[0] == 3]",
    "infinities": "return str([float('inf') - float('inf'), -float('inf'), 1e308 * 10])",
    "minus zero": "return [str(-0.0), str(0.0 + -0.0), -0.0]",
    "sums of floats": "return [sum([0.1] * 10), 0.1 + 0.2, 1e16 + 1]",
    "powers": "return [2 ** 0.5, 10 ** -3, pow(3, 0.3), 2.0 ** 100]",
    "a function of math": "import math\nreturn [math.sin(1), math.exp(1.5), math.gamma(5.5), math.hypot(3, 4)]",
    "a float that is written": "return ['%.20f' % 0.1, f'{1e22}', repr(1 / 3), round(2.675, 2)]",
    "texts of other scripts": "return ['ß'.upper(), 'İ'.lower(), 'ﬁ'.casefold(), 'Ǆ'.title(), '١'.isdigit()]",
    "half a surrogate": "return chr(0xD800)",
    "half a surrogate in a key": "return {chr(0xDFFF): 1}",
    "an order of keys": "return {'é': 1, 'z': 2, '\\U0001f600': 3, '\\uffff': 4, 'a': 5}",
    "a pattern that goes back": "import re\nreturn bool(re.match('(a+)+$', 'a' * 18 + 'b'))",
    "a pattern of many kinds": "import re\nreturn re.findall(r'(?i)(\\w+)@(\\w+)\\.com', 'A@b.com c@D.COM')",
    "dates": "import datetime\nreturn str(datetime.datetime(2024, 2, 29) + datetime.timedelta(days=366))",
    "a date that is read": "import datetime\nreturn str(datetime.datetime.strptime('29 Feb 2024', '%d %b %Y'))",
    "the clock": "import time\nreturn [time.time(), time.monotonic(), time.strftime('%c')]",
    "dice": "import random\nreturn [random.random(), random.choice('abc'), random.sample(range(9), 3)]",
    "dice of every kind": "import random, secrets, uuid\nreturn [random.gauss(0, 1), secrets.token_hex(8), str(uuid.uuid4()), random.randbytes(5).hex()]",
    "dice without end": "import random\nwhile True:\n    random.random()",
    "a shuffle": "import random\nx = list(range(52))\nrandom.shuffle(x)\nreturn x",
    "seeded dice": "import random\nr = random.Random('seed')\nreturn [r.random(), r.getrandbits(70), r.expovariate(2)]",
    "files": "with open(self.ctx.workspace + '/x', 'w') as f:\n    f.write('héllo')\nwith open(self.ctx.workspace + '/x', 'rb') as f:\n    return f.read().hex()",
    "a file that is not there": "open(self.ctx.workspace + '/none')",
    "prints without end": "while True:\n    print('x' * 100)",
    "posts without end": "while True:\n    self.ctx.post('bot', {'x': 1})",
    "a state too large": "self.ctx.set_state({'x': 'x' * 300000})",
    "no JSON": "self.ctx.post('bot', {'x': {1, 2}})",
    "a key that is no text": "self.ctx.post('bot', {1: 2})",
    "a number too large": "return 2 ** 60",
    "nobody's turn": "self.ctx.set_turn(['nobody'])",
    "a timer of no name": "self.ctx.set_timer('', 5)",
    "forty timers": "for n in range(40):\n    self.ctx.set_timer('t%d' % n, n + 1)",
    "an end without winners": "self.ctx.end({'reason': 'x'})",
    "nothing": "return None",
}


def _hidden(body: str) -> str:
    return f"{HEAD}{textwrap.indent(body, ' ' * 8)}\n        self.ctx.post('bot', {{'got': str(got)}})\n"


def _posting(body: str) -> str:
    """As `source`, with the answer itself and not its repr, which cannot be JSON for all."""
    return source(body).replace("repr(self.answer())", "self.answer()")


ODD = {
    **{f"vandal: {name}": _posting(body) for name, body in VANDALS.items()},
    **{f"gadget: {name}": source(body) for name, body in GADGETS.items()},
    **{f"alike: {name}": source(body) for name, body in ALIKE.items()},
    **{f"hidden: {name}": _hidden(body) for name, body in HIDDEN.items()},
    **{f"hostile: {name}": text for name, (text, _) in HOSTILE.items()},
}
