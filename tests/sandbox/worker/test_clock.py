# ruff: noqa: E501 the rows are read as a table
"""Every clock that a hook can ask reads the time of its event, and no other."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest

from mcp_multiplayer.sandbox.call import Failed, HookCall
from mcp_multiplayer.sandbox.host.pool import Pool

pytestmark = pytest.mark.asyncio(loop_scope="module")
NOW = 1_795_176_000.123
SECONDS = "time.time() time.monotonic() time.perf_counter() time.process_time() time.thread_time()"
DATES = {
    "datetime.now()": "2026-11-20 12:00:00.123000",
    "datetime.today()": "2026-11-20 12:00:00.123000",
    "datetime.utcnow()": "2026-11-20 12:00:00.123000",
    "datetime.now(timezone.utc)": "2026-11-20 12:00:00.123000+00:00",
    "date.today()": "2026-11-20",
    "time.ctime()": "Fri Nov 20 12:00:00 2026",
    "time.asctime()": "Fri Nov 20 12:00:00 2026",
    "time.strftime('%H:%M')": "12:00",
    "time.gmtime().tm_year": "2026",
    "time.localtime().tm_hour": "12",
}
#: Ways to a date of Python's own, which would ask the machine.
AROUND = {
    "datetime.now().date().today()": "2026-11-20",
    "datetime.max.now()": "2026-11-20 12:00:00.123000",
    "datetime.min.today()": "2026-11-20 12:00:00.123000",
    "date.max.today()": "2026-11-20",
    "(datetime.now() + timedelta(1)).now()": "2026-11-20 12:00:00.123000",
    "datetime(2020, 1, 1).replace(year=2021).now()": "2026-11-20 12:00:00.123000",
    "datetime.now(timezone.utc).astimezone().date().today()": "2026-11-20",
    "datetime.fromisoformat('2020-01-01').date().today()": "2026-11-20",
    "datetime.combine(date(2020, 1, 1), datetime.now().time()).today()": "2026-11-20 12:00:00.123000",
    "parsedate_to_datetime('Mon, 16 Nov 2009 13:32:02 +0100').now()": "2026-11-20 12:00:00.123000",
}
#: What libraries ask by themselves.
LIBRARIES = {
    "waited()": "0.0",
    "cookie()": "Set-Cookie: a=b; expires=Fri, 20 Nov 2026 12:01:00 GMT",
}
SOURCE = """
import time
from datetime import date, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from http.cookies import SimpleCookie
from urllib3.util import Timeout

def cookie():
    jar = SimpleCookie({"a": "b"})
    jar["a"]["expires"] = 60
    return jar.output()

def waited():
    patience = Timeout(connect=3)
    patience.start_connect()
    return patience.get_connect_duration()

class Bot:
    def on_init(self):
        self.ctx.post("bot", {"v": self.f()})
    def f(self):
"""


async def said(pool: Pool, body: str, now: float = NOW) -> Any:
    source = SOURCE + textwrap.indent(body, " " * 8)
    result: Any = await pool.run(HookCall(source, "on_init", now=now))
    assert not isinstance(result, Failed), result.text
    return result.said[0].body["v"]


@pytest.mark.parametrize("between", ["pass", "time.sleep(3)", "sum(range(100000))"])
async def test_time_stands_still_while_a_hook_runs(pool: Pool, between: str) -> None:
    asked = f"[self.ctx.now(), {', '.join(SECONDS.split())}]"
    lines = f"first = {asked}\n{between}\nreturn [first, {asked}]"
    assert await said(pool, lines) == [[NOW] * 6, [NOW] * 6]


@pytest.mark.parametrize("name", ["time", "monotonic", "perf_counter", "process_time"])
async def test_nanoseconds_are_exact_to_what_a_log_holds(pool: Pool, name: str) -> None:
    assert await said(pool, f"return str(time.{name}_ns())") == "1795176000123000000"


@pytest.mark.parametrize("asked", [*DATES, *AROUND, *LIBRARIES])
async def test_all_that_tells_the_time_tells_this_one(pool: Pool, asked: str) -> None:
    assert await said(pool, f"return str({asked})") == (DATES | AROUND | LIBRARIES)[asked]


async def test_a_library_that_waits_does_not(pool: Pool) -> None:
    """urllib3 sleeps between tries: the hook would end by the machine's clock."""
    lines = "from urllib3 import Retry\nRetry(3, backoff_factor=100).sleep()\nreturn 1"
    assert await said(pool, lines) == 1
    tried = "r = Retry(9, backoff_factor=100)\nfor _ in range(5): r = r.increment('GET', '/', error=OSError())\nr.sleep()\nreturn 1"
    assert await said(pool, "from urllib3 import Retry\n" + tried) == 1


@pytest.mark.parametrize("seconds", ["-1", "float('nan')", "10 ** 9"])
async def test_a_sleep_that_is_none_is_refused(pool: Pool, seconds: str) -> None:
    source = SOURCE + f"        time.sleep({seconds})"
    result = await pool.run(HookCall(source, "on_init", now=NOW))
    assert isinstance(result, Failed) and result.error == "ValueError"
