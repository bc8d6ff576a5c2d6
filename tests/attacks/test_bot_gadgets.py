# ruff: noqa: E501 the rows are read as a table
"""Ways out of the language, one per row. Stopped by language.py, guards.py and imports.py.

A row is refused when it is attached, or raises when it runs; what it must never do is
return. The process behind the language is attacked in test_bot_native.py.
"""

import textwrap
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from mcp_multiplayer.errors import BotRejected
from mcp_multiplayer.sandbox.call import Failed, HookCall
from mcp_multiplayer.sandbox.host.pool import Pool

pytestmark = pytest.mark.asyncio(loop_scope="module")

GADGETS = {
    # imports
    "os": "import os\nreturn os.getpid()",
    "os by path": "import os.path\nreturn 1",
    "from os": "from os import environ\nreturn dict(environ)",
    "subprocess": "import subprocess\nreturn 1",
    "builtins module": "import builtins\nreturn 1",
    "ctypes": "import ctypes\nreturn 1",
    "importlib": "import importlib\nreturn 1",
    "gc": "import gc\nreturn 1",
    "inspect": "import inspect\nreturn 1",
    "operator": "import operator\nreturn operator.attrgetter('__class__')(1)",
    "string": "import string\nreturn 1",
    "pickle": "import pickle\nreturn 1",
    "threading": "import threading\nreturn 1",
    "multiprocessing": "import multiprocessing\nreturn 1",
    "asyncio": "import asyncio\nreturn 1",
    "the sandbox itself": "import mcp_multiplayer.sandbox.language.guards\nreturn 1",
    "restricted python": "import RestrictedPython\nreturn 1",
    "star import": "from json import *\nreturn 1",
    "relative import": "from . import worker\nreturn 1",
    "unlisted submodule": "import json.decoder\nreturn 1",
    "import_from fallback to sys.modules": "from requests import sessions\nreturn sessions",
    "import_from fallback of a package": "from email import generator\nreturn generator",
    "module under a module": "import requests\nreturn requests.sys",
    "module under random": "import random\nreturn random._os",
    "__import__": "return __import__('os')",
    # names and attributes
    "eval": "return eval('2+2')",
    "exec": "exec('x = 1')\nreturn 1",
    "compile": "return compile('1', 'x', 'eval')",
    "open": "return open('/etc/passwd').read()",
    "globals": "return list(globals())",
    "vars": "return vars(self)",
    "dir": "return dir(self)",
    "__builtins__": "return __builtins__",
    "private name": "_x = 1\nreturn _x",
    "dunder class chain": "return ().__class__.__base__.__subclasses__()",
    "dunder dict": "return self.__dict__",
    "dunder globals": "return self.answer.__globals__",
    "dunder through getattr": "return getattr(self, '__dict__')",
    "dunder through hasattr": "return 1 // hasattr(self, '__dict__')",
    "dunder through setattr": "setattr(self, '__class__', int)\nreturn 1",
    "getattr with a str subclass": """
        class S(str):
            def __eq__(self, other):
                return True
            def __hash__(self):
                return hash('x')
        return getattr(self, S('__dict__'))
        """,
    "private attribute of ctx": "return self.ctx._state",
    "private attribute of ctx through getattr": "return getattr(self.ctx, '_limits')",
    "ctx is read-only": "self.ctx.players = ['me']\nreturn 1",
    "a rebound guard": "_getattr_ = getattr\nreturn 1",
    "a guard as an argument": "def f(_getattr_):\n    return 1\nreturn f(1)",
    "a guard as a keyword pattern": "match {}:\n    case {**_write_}:\n        return 1",
    "a guard as a capture": "match 1:\n    case _getattr_:\n        return 1",
    "a guard by import": "import json as _getattr_\nreturn 1",
    "a guard by except": "try:\n    1 / 0\nexcept Exception as _getattr_:\n    return 1",
    "a guard by walrus": "return (_getattr_ := 1)",
    "a guard by global": "global _getattr_\nreturn 1",
    # frames, code, tracebacks
    "traceback frame": """
        try:
            1 / 0
        except Exception as e:
            return e.__traceback__.tb_frame
        """,
    "traceback in exit": """
        class C:
            def __enter__(self):
                return self
            def __exit__(self, kind, error, tb):
                self.got = getattr(tb, 'tb_frame')
        with C() as c:
            1 / 0
        return 1
        """,
    "generator frame": "g = (x for x in [1])\nreturn g.gi_frame",
    "generator frame through getattr": "g = (x for x in [1])\nreturn getattr(g, 'gi_frame').f_back",
    "generator code": "g = (x for x in [1])\nreturn getattr(g, 'gi_code')",
    "generator yieldfrom": "g = (x for x in [1])\nreturn g.gi_yieldfrom",
    "function code": "return getattr(self.answer, '__code__')",
    "AttributeError.obj": """
        import urllib3
        try:
            urllib3.nothing
        except AttributeError as e:
            return e.obj
        """,
    "AttributeError.obj through getattr": """
        try:
            self.nothing
        except AttributeError as e:
            return getattr(e, 'obj')
        """,
    "except star": "try:\n    1 / 0\nexcept* ZeroDivisionError:\n    return 1",
    "settrace": "import sys\nsys.settrace(print)\nreturn 1",
    "setprofile": "import sys\nreturn sys.setprofile",
    "sys.modules": "import sys\nreturn sys.modules",
    "sys._getframe": "import sys\nreturn sys._getframe",
    "exc_info traceback": """
        import sys
        try:
            1 / 0
        except Exception:
            return sys.exc_info()[2].tb_lineno
        """,
    "walk_stack": "import traceback\nreturn traceback.walk_stack(None)",
    "FrameSummary reads files": "import traceback\nreturn traceback.FrameSummary('/etc/passwd', 1, 'x').line",
    "StackSummary": "import traceback\nreturn traceback.StackSummary",
    "linecache": "import linecache\nreturn 1",
    "formatwarning reads files": "import warnings\nreturn warnings.formatwarning('x', UserWarning, '/etc/passwd', 1)",
    # formatting
    "format reads a dunder": "return '{0.__class__.__base__}'.format(self)",
    "format reads a private attribute": "return '{0._state}'.format(self.ctx)",
    "format reads an item of a dunder": "return '{x.ctx.__dict__[a]}'.format(x=self)",
    "format_map": "return '{a.__class__}'.format_map({'a': 1})",
    "unbound format": "return str.format('{0.__class__}', 1)",
    "format of a str subclass": """
        class S(str):
            pass
        return S('{0.__class__.__mro__}').format(1)
        """,
    "format behind super": """
        import random
        class S(str):
            def go(self, x):
                return super().format(x)
        return S('{0._draws.__dict__}').go(random.Random())
        """,
    "format of a two-argument super": """
        class S(str):
            pass
        return super(S, S('{0.__dict__}')).format(self)
        """,
    "format by a class attribute": """
        class S(str):
            fill = str.format
        return S('{0.__dict__}').fill(self)
        """,
    "format through a weak proxy": """
        import weakref
        class S(str):
            pass
        s = S('{0.__dict__}')
        return weakref.proxy(s).format(self)
        """,
    "format mapped": "return list(map(str.format, ['{0.__dict__}'], [self]))",
    "format by partial": "import functools\nreturn functools.partial(str.format, '{0.__dict__}')(self)",
    "format as a key": "return [self].sort(key='{0.__dict__}'.format)",
    "format in a field of format": "return '{0.format}'.format(str)",
    "format_map through getattr": "return getattr('{a.__class__}', 'format_map')({'a': 1})",
    "format_map behind super": """
        class S(str):
            def go(self, m):
                return getattr(super(), 'format_map')(m)
        return S('{a.__dict__}').go({'a': self})
        """,
    "format of a member of an enumeration": "import http\nreturn http.HTTPMethod.GET.format.join(self)",
    "UserString": "from collections import UserString\nreturn UserString('{0.__class__}').format(1)",
    # evaluation inside libraries
    "get_type_hints": "from typing import get_type_hints\nreturn get_type_hints",
    "functional NamedTuple": "from typing import NamedTuple\nreturn NamedTuple('N', [('x', 'eval(1)')])",
    "ForwardRef evaluation": "from typing import List\nreturn List['x'].__args__[0]._evaluate",
    "singledispatch": "from functools import singledispatch\nreturn singledispatch",
    "update_wrapper": "from functools import update_wrapper\nreturn update_wrapper",
    "an e-mail's policy sets any attribute": """
        import copy
        from email.message import EmailMessage
        class A:
            pass
        of = EmailMessage().policy.clone(**{'__class__': A, '__dict__': {'__deepcopy__': lambda m: m}})
        return copy.deepcopy(of)
        """,
    "an e-mail's policy told to a class": """
        import email
        seen = []
        def made(policy):
            seen.append(policy)
            return 1 / 0
        try:
            email.message_from_string('a: b', made)
        except ZeroDivisionError:
            pass
        return seen[0].clone
        """,
    "a string in typing": "import typing, copy\nm = {}\ncopy.deepcopy(typing.List['1 + 1'], m)\nreturn m",
    "deepcopy fills a memo": "import copy\nm = {}\ncopy.deepcopy(self.ctx, m)\nreturn m",
    "deepcopy fills a memo by keyword": "import copy\nm = {}\ncopy.deepcopy(self.ctx, memo=m)\nreturn m",
    "deepcopy of one's own": "class A:\n    def __deepcopy__(self, memo):\n        return memo\nreturn 1",
    "ForwardRef": "from typing import ForwardRef\nreturn ForwardRef('1')",
    "the code of a typing object": "import typing\nreturn typing.List['1'].__args__",
    "a class with expressions": "from typing import TypedDict\nreturn TypedDict('A', {'x': '1'})",
    "wraps with code": """
        import functools, json
        @functools.wraps(json.dumps, assigned=('__code__',))
        def f(*a):
            return 1
        return f.__wrapped__
        """,
    "namedtuple with an expression for a field": """
        from collections import namedtuple
        return namedtuple('N', ['x=eval("1")'])
        """,
    # classes
    "metaclass": "class A(metaclass=type):\n    pass\nreturn 1",
    "class keyword": "class A(x=1):\n    pass\nreturn 1",
    "three-argument type": "return type('A', (), {})",
    "a function's class": "return type(lambda: 0)(1, {})",
    "a function's class by attribute": "return (lambda: 0).__class__(1, {})",
    "a method's class": "return type(self.answer)(print, 1)",
    "a module's class": "import json\nreturn type(json)()",
    "a generator's class": "return type(x for x in [])()",
    "the class of a class": "return type(int)('X', (object,), {'__getattribute__': lambda s, n: 7})",
    "the class of a class by attribute": "return int.__class__('X', (object,), {})",
    "the class of one's own class": "class A:\n    pass\nreturn type(A)('X', (A,), {})",
    "the metaclass of an abstract class": "import collections\nreturn type(collections.UserDict)('X', (), {})",
    "the class of ctx": "return type(self.ctx)(1, 2, 3, 4)",
    "a method of the class of ctx": "return type(self.ctx).get_state(self)",
    "the class of dice": "import random\nreturn type(random.Random(1))()",
    "a metaclass's method": "import collections\nreturn collections.UserDict.register(int)",
    "AttributeError.obj without its object": """
        class E(AttributeError):
            seen = AttributeError.obj
        return E.seen
        """,
    "AttributeError.obj behind super": """
        class E(AttributeError):
            def seen(self):
                return super().obj
        return E('x').seen()
        """,
    "a traceback kept": """
        class C:
            def __enter__(self):
                return self
            def __exit__(self, kind, error, tb):
                self.tb = tb
                return True
        with C() as c:
            1 / 0
        return c.tb
        """,
    "inherit from a library class": "import requests\nclass A(requests.Session):\n    pass\nreturn 1",
    "inherit from a proxy": "import json\nclass A(type(json)):\n    pass\nreturn 1",
    "inherit from ctx": "class A(type(self.ctx)):\n    pass\nreturn 1",
    "inherit from type": "class A(type(type(1))):\n    pass\nreturn 1",
    "getattribute": "class A:\n    def __getattribute__(self, n):\n        return 1\nreturn 1",
    "getattr method": "class A:\n    def __getattr__(self, n):\n        return 1\nreturn 1",
    "class lies about itself": "class A:\n    __class__ = dict\nreturn 1",
    "init_subclass": "class A:\n    def __init_subclass__(cls):\n        pass\nreturn 1",
    "reduce": "class A:\n    def __reduce__(self):\n        return print, ()\nreturn 1",
    "del": "class A:\n    def __del__(self):\n        pass\nreturn 1",
    "slots": "class A:\n    __slots__ = ()\nreturn 1",
    "match reads attributes": "match self:\n    case object(ctx=c):\n        return 1",
    "mro": "class A:\n    pass\nreturn A.mro()",
    # changing libraries
    "overwrite a module's function": "import json\njson.dumps = print\nreturn 1",
    "setattr on a module": "import json\nsetattr(json, 'dumps', print)\nreturn 1",
    "overwrite a library class": "import requests\nrequests.Session.get = print\nreturn 1",
    "overwrite a builtin class": "dict.get = print\nreturn 1",
    "overwrite by augmented assignment": "import json\njson.dumps += 1\nreturn 1",
    "delete from a module": "import json\ndel json.dumps\nreturn 1",
    "write into a library function": "import json\njson.dumps.x = 1\nreturn 1",
    # files through libraries
    "urlopen file": "import urllib.request\nreturn urllib.request.urlopen('file:///etc/passwd').read()",
    "urlretrieve": "from urllib.request import urlretrieve\nreturn 1",
    "FileHandler": "from urllib.request import FileHandler\nreturn 1",
    "keylog_filename": "import ssl\nc = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)\nc.keylog_filename = '/tmp/k'\nreturn 1",
    "keylog_filename through setattr": """
        import ssl
        setattr(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), 'keylog_filename', '/tmp/k')
        return 1
        """,
    "load_cert_chain": "import ssl\nreturn ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain('/etc/passwd')",
    "load_verify_locations": """
        import ssl
        return getattr(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), 'load_verify_locations')('/etc/passwd')
        """,
    "create_default_context with a file": "import ssl\nreturn ssl.create_default_context(cafile='/etc/passwd')",
    "io.open": "import io\nreturn io.open('/etc/passwd')",
    "FileIO": "import io\nreturn io.FileIO('/etc/passwd')",
    "file_digest": "import hashlib\nreturn hashlib.file_digest",
    "is_binary of a path": "import charset_normalizer\nreturn charset_normalizer.is_binary('/etc/passwd')",
    "load_dh_params": "import ssl\nreturn ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_dh_params('/etc/passwd')",
    "from_path": "import charset_normalizer\nreturn charset_normalizer.from_path('/etc/passwd')",
    "cookiejar": "import http.cookiejar\nreturn 1",
    "resolve_cert_reqs": "import urllib3.util.ssl_\nreturn 1",
    "raw ssl by a wrong version": """
        import urllib3
        try:
            urllib3.PoolManager(ssl_version='NOPE').request('GET', 'https://127.0.0.1', retries=False)
        except AttributeError as e:
            return e.obj.os
        """,
    # network
    "requests": "import requests\nreturn requests.get('https://example.com').text",
    "http.client": "import http.client\nc = http.client.HTTPConnection('127.0.0.1', 80)\nc.request('GET', '/')\nreturn c.getresponse()",
    "urllib.request": "import urllib.request\nreturn urllib.request.urlopen('http://127.0.0.1/').read()",
    "urllib3": "import urllib3\nreturn urllib3.PoolManager().request('GET', 'http://127.0.0.1/', retries=False)",
    "socket": "import socket\nreturn socket.socket().connect(('127.0.0.1', 80))",
    "socket before it is connected": "import socket\nreturn socket.socket().send(b'x')",
    "sendto": "import socket\nreturn socket.socket().sendto(b'x', ('127.0.0.1', 80))",
    "udp": "import socket\nreturn socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
    "unix socket": "import socket\nreturn socket.socket(socket.AF_UNIX)",
    "bind": "import socket\nreturn socket.socket().bind(('127.0.0.1', 0))",
    "listen": "import socket\nreturn socket.create_server(('127.0.0.1', 0))",
    "socketpair": "import socket\nreturn socket.socketpair()",
    "the class of a file": "f = open('x', 'w')\nreturn type(f)(3, 'x', 'r')",
    "a file by its descriptor": "return open(3).read()",
    "a file's own file": "return open('x', 'w')._file",
    "a file's buffer": "return open('x', 'w').buffer",
    "an opener": "return open('x', 'w', opener=lambda *a: 3)",
    "a path out of the workspace": "return open(self.ctx.workspace + '/../../etc/passwd').read()",
    "the socket of a connection": "import http.client\nc = http.client.HTTPConnection('x')\nc.connect()\nreturn c.sock._connection",
    "socket on the worker's own descriptor": "import socket\nreturn socket.socket(fileno=3)",
    "name look-up": "import socket\nreturn socket.getaddrinfo('localhost', 80)",
    "create_connection": "import socket\nreturn socket.create_connection(('127.0.0.1', 80))",
    "get_server_certificate": "import ssl\nreturn ssl.get_server_certificate(('127.0.0.1', 443))",
    "async": "async def f():\n    pass\nreturn 1",
    # chance
    "the seed": "import random\nreturn random.SystemRandom()._draws",
    "the stream behind ctx.random": "return self.ctx.random.seed",
    "uuid1": "import uuid\nreturn uuid.uuid1()",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool() -> AsyncIterator[Pool]:
    made = Pool()
    await made.start()
    yield made
    await made.close()


def source(body: str) -> str:
    return f"""
class Bot:
    def __init__(self, ctx, params):
        self.ctx = ctx
    def on_init(self):
        self.ctx.post("bot", {{"got": repr(self.answer())}})
    def answer(self):
{textwrap.indent(textwrap.dedent(body).strip(), " " * 8)}
"""


@pytest.mark.parametrize("name", GADGETS)
async def test_the_gadget_gets_nothing(pool: Pool, name: str) -> None:
    text = source(GADGETS[name])
    try:
        await pool.inspect(text)
    except BotRejected as refusal:
        assert "Line " in str(refusal)
    # Attached or not, run it: the worker must not depend on the check before it.
    result = await pool.run(HookCall(text, "on_init", key=b"s" * 32))
    assert isinstance(result, Failed), result
    assert result.error not in ("Crashed", "TimeLimit"), result
    assert ".py" not in result.text  # no line of ours


CLOCKS = {
    "a limit of dates": "import datetime\nreturn datetime.datetime.max.now().year",
    "the date of an e-mail": """
        from email.utils import parsedate_to_datetime
        return parsedate_to_datetime('Thu, 01 Jan 2026 00:00:00 +0000').now().year
        """,
    "a date of a date": "import datetime\nreturn datetime.datetime.now().date().today().year",
    "the class of a date": "import datetime\nreturn type(datetime.datetime.now().date()).today().year",
}


@pytest.mark.parametrize("name", CLOCKS)
async def test_no_date_leads_to_the_clock_of_the_machine(pool: Pool, name: str) -> None:
    result = await pool.run(HookCall(source(CLOCKS[name]), "on_init", now=0.0, key=b"s" * 32))
    if not isinstance(result, Failed):
        assert result.said[0].body == {"got": "1970"}


async def test_there_are_more_rows_than_the_known_corpus_has() -> None:
    assert len(GADGETS) > 101


WORDS = {
    "import os": "Import of 'os' is not allowed",
    "import os, subprocess": "Import of 'subprocess' is not allowed",
    "from os import path": "Import of 'os' is not allowed",
    "eval('2+2')": "Eval calls are not allowed",
    "exec('1')": "Exec calls are not allowed",
    "x._private": '"_private" is an invalid attribute name because it starts with "_"',
    "_private = 1": '"_private" is an invalid variable name because it starts with "_"',
    "__builtins__": '"__builtins__" is an invalid variable name because it starts with "_"',
    "vars()": "'vars' is not available to bots",
}


@pytest.mark.parametrize("line", WORDS)
@pytest.mark.parametrize("head", ["", "class Bot:\n    pass\n\n"])
async def test_a_refusal_uses_the_documented_words_and_names_the_line(
    pool: Pool, line: str, head: str
) -> None:
    with pytest.raises(BotRejected, match=f"Line {4 if head else 1}: ") as refusal:
        await pool.inspect(head + line)
    assert WORDS[line] in str(refusal.value)
