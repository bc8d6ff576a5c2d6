# ruff: noqa: E501 the rows are read as a table
"""Ordinary Python works: each row is a body an author would write, and what it answers."""

import textwrap

import pytest

from mcp_multiplayer.sandbox.call import Finished, HookCall
from mcp_multiplayer.sandbox.host.pool import Pool

pytestmark = pytest.mark.asyncio(loop_scope="module")

ORDINARY = {
    "augmented attributes and items": (
        """
        self.n = 1
        self.n += 4
        d = {"k": [1, 2]}
        d["k"][0] += 10
        d["k"] += [3]
        x = 2
        x **= 5
        return [self.n, d, x]
        """,
        [5, {"k": [11, 2, 3]}, 32],
    ),
    "augmented assignment evaluates its target once": (
        """
        calls = []
        def item():
            calls.append(1)
            return self
        self.n = 0
        item().n += 1
        return [self.n, len(calls)]
        """,
        [1, 1],
    ),
    "annotations": (
        """
        count: int = 3
        later: "list[str]"
        def double(x: int) -> int:
            return x * 2
        return double(count)
        """,
        6,
    ),
    "nonlocal and closures": (
        """
        total = 0
        def add(n):
            nonlocal total
            total += n
        for n in range(4):
            add(n)
        return total
        """,
        6,
    ),
    "comprehensions and generators": (
        """
        def evens(n):
            for i in range(n):
                if i % 2 == 0:
                    yield i
        return [[x * y for x in range(3) for y in evens(3)], {k: v for k, v in [("a", 1)]},
                sorted({i % 3 for i in range(9)}), sum(i for i in evens(7))]
        """,
        [[0, 0, 0, 2, 0, 4], {"a": 1}, [0, 1, 2], 12],
    ),
    "f-strings and format": (
        """
        who, n = "alice", 7
        return [f"{who!r:>9} {n:03d} {n / 2:.2f}", "{0} {x[a]} {1:>3}".format(who, n, x={"a": 1}),
                "%s-%d" % (who, n), "{:,}".format(12345)]
        """,
        ["  'alice' 007 3.50", "alice 1   7", "alice-7", "12,345"],
    ),
    "match": (
        """
        out = []
        for m in ({"type": "move", "v": 3}, {"type": "concede"}, [1, 2, 3], "x", 4, None):
            match m:
                case {"type": "move", "v": int(v)} if v > 2:
                    out.append(v)
                case {"type": "concede", **rest}:
                    out.append(len(rest))
                case [first, *others]:
                    out.append([first, others])
                case str() as s:
                    out.append(s)
                case 4 | 5:
                    out.append("four")
                case _:
                    out.append(None)
        return out
        """,
        [3, 0, [1, [2, 3]], "x", "four", None],
    ),
    "exceptions": (
        """
        class Wrong(ValueError):
            def __init__(self, what):
                super().__init__("wrong " + what)
                self.what = what
        seen = []
        try:
            raise Wrong("move")
        except (KeyError, ValueError) as e:
            seen += [type(e).__name__, str(e), e.what, e.args[0]]
        else:
            seen.append("no")
        finally:
            seen.append("finally")
        try:
            int("x")
        except ValueError as e:
            seen.append(e.__class__.__name__)
        return seen
        """,
        ["Wrong", "wrong move", "move", "wrong move", "finally", "ValueError"],
    ),
    "special methods and inheritance": (
        """
        class Card:
            def __init__(self, rank):
                self.rank = rank
            def __lt__(self, other):
                return self.rank < other.rank
            def __eq__(self, other):
                return self.rank == other.rank
            def __hash__(self):
                return hash(self.rank)
            def __repr__(self):
                return f"C{self.rank}"
            def __add__(self, other):
                return Card(self.rank + other.rank)
        class Ace(Card):
            def __init__(self):
                super().__init__(14)
                Card.__init__(self, self.rank)
            def __str__(self):
                return "Ace:" + super().__repr__()
        cards = sorted([Ace(), Card(3), Card(9)])
        return [repr(cards), str(cards[-1]), len({Card(1), Card(1)}), repr(Card(1) + Card(2)),
                isinstance(cards[-1], Card), max(cards) == Card(14)]
        """,
        ["[C3, C9, C14]", "Ace:C14", 1, "C3", True, True],
    ),
    "containers of one's own": (
        """
        class Deck:
            def __init__(self, cards):
                self.cards = list(cards)
            def __len__(self):
                return len(self.cards)
            def __getitem__(self, i):
                return self.cards[i]
            def __setitem__(self, i, v):
                self.cards[i] = v
            def __iter__(self):
                return iter(self.cards)
            def __contains__(self, c):
                return c in self.cards
            def __call__(self):
                return self.cards.pop()
        d = Deck(range(5))
        d[0] = 9
        d[1] += 5
        del d.cards[2]
        return [len(d), list(d), 3 in d, d(), d[:2]]
        """,
        [4, [9, 6, 3, 4], True, 4, [9, 6]],
    ),
    "properties, class and static methods": (
        """
        class T:
            count = 0
            def __init__(self):
                T.count += 1
                self.secret = 2
            @property
            def twice(self):
                return self.secret * 2
            @twice.setter
            def twice(self, value):
                self.secret = value // 2
            @staticmethod
            def one():
                return 1
            @classmethod
            def make(cls):
                return cls()
        t = T.make()
        t.twice = 20
        return [t.twice, T.one(), T.count]
        """,
        [20, 1, 1],
    ),
    "with and context managers": (
        """
        log = []
        class Step:
            def __enter__(self):
                log.append("in")
                return 1, 2
            def __exit__(self, kind, error, tb):
                log.append(kind.__name__ if kind else "out")
                return True
        with Step() as (a, b):
            log.append(a + b)
        with Step():
            raise KeyError("x")
        return log
        """,
        ["in", 3, "out", "in", "KeyError"],
    ),
    "unpacking and star arguments": (
        """
        a, (b, *c), d = 1, [2, 3, 4], 5
        def f(x, *args, key=0, **kw):
            return [x, list(args), key, sorted(kw)]
        *head, last = "abc"
        return [a, b, c, d, f(*[1, 2], key=3, **{"z": 1}), head, last,
                [i + j for i, j in zip([1], [2])]]
        """,
        [1, 2, [3, 4], 5, [1, [2], 3, ["z"]], ["a", "b"], "c", [3]],
    ),
    "builtins": (
        """
        return [bytes([65]).decode(), sorted([3, 1], reverse=True), list(reversed([1, 2])),
                list(enumerate("ab", 1)), list(map(str, [1])), list(filter(None, [0, 1])),
                any([0, 1]), all([]), next(iter([7])), min(3, 2), max([1, 5]), abs(-1), round(2.567, 1),
                divmod(7, 2), pow(2, 5, 7), chr(65), ord("A"), hex(255), bin(5), callable(len),
                getattr(self, "nothing", "none"), hasattr(self, "ctx"), bool([]), float("1.5"),
                isinstance(True, int), issubclass(bool, int), str(type(1).__name__),
                "".join(tuple("ab")), dict(a=1), frozenset([1]) == {1}, format(3.14159, ".2f"),
                hash("a") == hash("a"), "abc"[slice(0, 2)]]
        """,
        [
            "A",
            [3, 1],
            [2, 1],
            [[1, "a"], [2, "b"]],
            ["1"],
            [1],
            True,
            True,
            7,
            2,
            5,
            1,
            2.6,
            [3, 1],
            4,
            "A",
            65,
            "0xff",
            "0b101",
            True,
            "none",
            True,
            False,
            1.5,
            True,
            True,
            "int",
            "ab",
            {"a": 1},
            True,
            "3.14",
            True,
            "ab",
        ],
    ),
    "lambda, walrus, conditional, assert, global": (
        """
        global seen
        seen = 1
        f = lambda x, y=2: x * y
        assert f(2) == 4, "no"
        if (n := len("abc")) > 2:
            pass
        return [n, "yes" if n else "no", seen, (lambda: n)()]
        """,
        [3, "yes", 1, 3],
    ),
    "datetime": (
        """
        from datetime import datetime, timedelta, timezone, date
        import datetime as dt
        day = datetime.strptime("2026-11-20", "%Y-%m-%d")
        return [day.isoformat(), (day + timedelta(days=1)).strftime("%d.%m.%Y"),
                datetime.now().isoformat()[:19], datetime.now(timezone.utc).year,
                date.today().isoformat(), isinstance(day.date(), date), dt.datetime.utcnow().month,
                datetime.fromisoformat("2026-01-01T00:00:00+00:00").tzinfo is not None]
        """,
        [
            "2026-11-20T00:00:00",
            "21.11.2026",
            "2026-11-20T12:00:00",
            2026,
            "2026-11-20",
            True,
            11,
            True,
        ],
    ),
    "time": (
        """
        import time
        start = time.time()
        time.sleep(2)
        return [int(start), round(time.time() - start), time.strftime("%Y-%m-%d"),
                time.strptime("10:30", "%H:%M").tm_hour, time.monotonic() > 0, time.gmtime(0).tm_year,
                time.mktime(time.gmtime(60))]
        """,
        [1795176000, 0, "2026-11-20", 10, True, 1970, 60.0],
    ),
    "regular expressions": (
        """
        import re
        m = re.match(r"guess\\s+(\\d+)", "guess 42")
        return [m.group(1), m.groups(), re.sub("a", "b", "banana"), re.findall("[0-9]", "a1b2"),
                bool(re.compile("^x$", re.I).search("X")), [x.start() for x in re.finditer("a", "aba")]]
        """,
        ["42", ["42"], "bbnbnb", ["1", "2"], True, [0, 2]],
    ),
    "collections and itertools": (
        """
        from collections import Counter, defaultdict, deque, namedtuple, OrderedDict
        import itertools, functools, copy, math
        d = defaultdict(list)
        d["a"].append(1)
        d["b"] += [2]
        c = Counter("banana")
        c["z"] += 1
        P = namedtuple("P", "x y")
        q = deque([1, 2], maxlen=2)
        q.append(3)
        return [dict(d), c.most_common(2), P(1, 2).y, list(q), list(itertools.combinations([1, 2, 3], 2)),
                functools.reduce(lambda a, b: a * b, [1, 2, 3]), copy.deepcopy({"a": [1]}),
                math.floor(math.sqrt(17)), list(itertools.chain([1], [2])), d, c]
        """,
        [
            {"a": [1], "b": [2]},
            [["a", 3], ["n", 2]],
            2,
            [2, 3],
            [[1, 2], [1, 3], [2, 3]],
            6,
            {"a": [1]},
            4,
            [1, 2],
            {"a": [1], "b": [2]},
            {"b": 1, "a": 3, "n": 2, "z": 1},
        ],
    ),
    "functools decorators": (
        """
        from functools import lru_cache, wraps, partial, total_ordering, cached_property
        @lru_cache(maxsize=None)
        def fib(n):
            return n if n < 2 else fib(n - 1) + fib(n - 2)
        def shout(f):
            @wraps(f)
            def inner(*a, **k):
                return f(*a, **k).upper()
            return inner
        @shout
        def hi(name):
            return "hi " + name
        class A:
            @cached_property
            def x(self):
                return 5
        return [fib(30), hi("bob"), hi.__name__, partial(pow, 2)(5), A().x]
        """,
        [832040, "HI BOB", "hi", 32, 5],
    ),
    "hashing and encodings": (
        """
        import hashlib, hmac, base64, json, secrets
        from urllib.parse import quote, urlencode, urlparse
        return [hashlib.sha256(b"x").hexdigest()[:8], hmac.new(b"k", b"m", "sha256").hexdigest()[:8],
                hmac.compare_digest("a", "a"), base64.b64encode(b"hi").decode(),
                json.loads(json.dumps({"a": [1, None]})), len(secrets.token_hex(16)), quote("a b&"),
                urlencode({"q": "1 2"}), urlparse("https://x.example/p?q").netloc]
        """,
        [
            "2d711642",
            "b60090e3",
            True,
            "aGk=",
            {"a": [1, None]},
            32,
            "a%20b%26",
            "q=1+2",
            "x.example",
        ],
    ),
    "io, sys, traceback, warnings, typing, weakref, email": (
        """
        import io, sys, traceback, warnings, weakref
        from typing import Any, Dict, List, Optional, Generic, TypeVar
        from email.message import EmailMessage
        from email.utils import parseaddr
        T = TypeVar("T")
        class Box(Generic[T]):
            def __init__(self, x: Optional[T]):
                self.x = x
        out = io.StringIO()
        print("hello", file=out)
        try:
            1 / 0
        except ZeroDivisionError:
            shown = traceback.format_exc()
            kind = sys.exc_info()[0].__name__
        warnings.warn("careful")
        m = EmailMessage()
        m["Subject"] = "hi"
        m.set_content("text")
        box = Box(3)
        names: Dict[str, List[Any]] = {}
        return [out.getvalue(), "ZeroDivisionError" in shown, "1 / 0" in shown, kind,
                sys.version_info[0], m["Subject"], parseaddr("A <a@b.c>")[1], weakref.ref(box)().x, names]
        """,
        ["hello\n", True, True, "ZeroDivisionError", 3, "hi", "a@b.c", 3, {}],
    ),
    "type of anything": (
        """
        import datetime, re
        from collections import namedtuple
        class A:
            kind = "a"
        class B(A):
            def twin(self):
                return type(self)()
        P = namedtuple("P", "x y")
        def f():
            pass
        try:
            {}["k"]
        except KeyError as e:
            error = e
        names = {type(None): "none", type(f): "function", int: "int"}
        return [type(B().twin()).kind, type(P(1, 2))(3, 4).x, type([])((1, 2)), type("x").__name__,
                type(error).__name__, type(error) is KeyError, type(None).__name__, type(f).__name__,
                type(f) is type(lambda: 0), type(f) == type(1), names[type(None)], names[type(f)],
                names[type(3)], isinstance(None, type(None)), isinstance(f, type(f)),
                isinstance(1, (type(None), int)), issubclass(type(None), int), str(type(3)),
                str(type(None)), type(re.match("a", "a")).__name__, type(datetime.datetime.now()).__name__,
                type(self).__name__, type(self.ctx).__name__, isinstance(B(), type(A())), A().__class__ is A,
                type(type(1)).__name__, repr(type(f))]
        """,
        [
            "a",
            3,
            [1, 2],
            "str",
            "KeyError",
            True,
            "NoneType",
            "function",
            True,
            False,
            "none",
            "function",
            "int",
            True,
            True,
            True,
            False,
            "<class 'int'>",
            "<class 'NoneType'>",
            "Match",
            "datetime",
            "Bot",
            "Context",
            True,
            True,
            "type",
            "<class 'function'>",
        ],
    ),
    "format of one's own text": (
        """
        class Title(str):
            def format(self, *args):
                return "<" + super().format(*args) + ">"
        class Money:
            def __init__(self, n):
                self.n = n
            def __format__(self, spec):
                return spec + str(self.n)
        return [Title("{0}!").format("a"), "{0.n} {0:EUR}".format(Money(3)), list(map("{:02d}".format, [1, 2])),
                "{:>4}|{x!r}".format(1, x="y"), f"{Money(4):$}", "{} {}".format(*"ab"), "{a[0]}".format(**{"a": [7]})]
        """,
        ["<a!>", "3 EUR3", ["01", "02"], "   1|'y'", "$4", "a b", "7"],
    ),
    "annotations of typing": (
        """
        from typing import (Any, Callable, Deque, Dict, Generic, List, Literal, NewType, Optional, Sequence,
                            Tuple, TypeVar, Union, cast, TYPE_CHECKING)
        import typing as t
        T = TypeVar("T", bound="Tree")
        Tree = Dict[str, "Tree"]
        Board = List[List[Optional[int]]]
        Move = Union[int, str, "Tree"]
        Rule = Callable[[Dict[str, Any]], Tuple[bool, ...]]
        Side = Literal["white", "black"]
        Id = NewType("Id", str)
        class Box(Generic[T]):
            def __init__(self, x: T) -> None:
                self.x = x
        class IntBox(Box[int]):
            pass
        return [IntBox(3).x, cast("List[int]", 4), Id("a"), isinstance([], List), isinstance(1, Union[int, str]),
                isinstance(None, Optional[int]), isinstance("x", Sequence), t.Dict(a=1), len(Deque([1])),
                TYPE_CHECKING, Box[str]("y").x, isinstance(len, Callable)]
        """,
        [3, 4, "a", True, True, True, True, {"a": 1}, 1, False, "y", True],
    ),
    "the idiom at the end of a file": (
        """
        if __name__ == "__main__":
            return "main"
        return "bot"
        """,
        "bot",
    ),
    "dice from the module": (
        """
        import random, uuid, secrets
        random.seed(1)
        deck = list(range(5))
        random.shuffle(deck)
        r = random.Random(7)
        return [sorted(deck), 1 <= random.randint(1, 6) <= 6, random.choice("a"), 0 <= random.random() < 1,
                len(random.sample(range(9), 3)), random.randrange(0, 1), len(str(uuid.uuid4())),
                secrets.randbelow(1), random.uniform(1, 1), random.choices([4], k=2), r.random() < 1,
                0 <= random.SystemRandom().random() < 1, isinstance(random.gauss(0, 1), float)]
        """,
        [[0, 1, 2, 3, 4], True, "a", True, 3, 0, 36, 0, 1.0, [4, 4], True, True, True],
    ),
}


def bot(body: str) -> str:
    return f"""
class Bot:
    def __init__(self, ctx, params):
        self.ctx = ctx
    def on_init(self):
        self.ctx.post("bot", {{"answer": self.answer()}})
    def answer(self):
{textwrap.indent(textwrap.dedent(body).strip(), " " * 8)}
"""


@pytest.mark.parametrize("name", ORDINARY)
async def test_ordinary_python_works(pool: Pool, name: str) -> None:
    body, expected = ORDINARY[name]
    source = bot(body)
    await pool.inspect(source)
    result = await pool.run(HookCall(source, "on_init", now=1795176000.0, key=b"s" * 32))
    assert isinstance(result, Finished), result
    assert result.said[0].body == {"answer": expected}
