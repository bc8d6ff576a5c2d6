"""The time a referee sees: the host's, so that a replay sees the same.

Changes when bots may ask the time in a new way. The hook begins at the time of the
entry that triggered it; each reading is a microsecond later than the one before, and
``time.sleep`` moves this clock and returns at once.
"""

from __future__ import annotations

import _strptime  # type: ignore[import-not-found]
import calendar
import datetime as real
import sys
import time
from typing import Any

_TICK = 1e-6


class Clock:
    """Seconds since the epoch as this hook counts them."""

    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> float:
        """The time, a little later at every call."""
        self.at += _TICK
        return self.at

    def sleep(self, seconds: float) -> None:
        """Let the hook's own time pass; nobody waits."""
        if not 0 <= seconds <= 366 * 86400:
            raise ValueError("sleep length must be non-negative and at most a year")
        self.at += seconds


def govern_libraries(clock: Clock) -> None:
    """What libraries ask of the time (cookies, dates, how long a request took) is the hook's."""
    time.time = lambda: clock.at
    time.ctime = lambda seconds=None: time.asctime(
        time.gmtime(clock.at if seconds is None else seconds)
    )
    sessions: Any = sys.modules.get("requests.sessions")
    if sessions is not None:
        sessions.preferred_clock = lambda: clock.at


def time_names(clock: Clock) -> dict[str, Any]:
    """The ``time`` module of a bot."""

    def then(seconds: float | None) -> float:
        return clock.now() if seconds is None else seconds

    def gmtime(seconds: float | None = None) -> time.struct_time:
        return time.gmtime(then(seconds))

    def strftime(format: str, t: Any = None) -> str:
        return time.strftime(format, gmtime() if t is None else t)

    def strptime(text: str, format: str = "%a %b %d %H:%M:%S %Y") -> Any:
        return _strptime._strptime_time(text, format)

    def asctime(t: Any = None) -> str:
        return time.asctime(gmtime() if t is None else t)

    names: dict[str, Any] = {
        "gmtime": gmtime, "localtime": gmtime, "strftime": strftime, "strptime": strptime,
        "asctime": asctime, "ctime": lambda seconds=None: asctime(gmtime(seconds)),
        "mktime": lambda t: float(calendar.timegm(t)),
        "sleep": clock.sleep, "struct_time": time.struct_time, "timezone": 0, "altzone": 0,
        "daylight": 0, "tzname": ("UTC", "UTC"),
    }  # fmt: skip
    for name in ("time", "monotonic", "perf_counter", "process_time", "thread_time"):
        names[name] = clock.now
        names[name + "_ns"] = lambda: int(clock.now() * 1e9)
    return names


class _Like(type):
    """Lets isinstance say yes to what datetime's own methods return."""

    stands_for: type

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, cls.stands_for)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, cls.stands_for)


def datetime_names(clock: Clock) -> dict[str, Any]:
    """``date`` and ``datetime`` whose now and today are the hook's."""

    class date(real.date, metaclass=_Like):
        stands_for = real.date

        @classmethod
        def today(cls) -> Any:
            return cls.fromtimestamp(clock.now())

    class datetime(real.datetime, metaclass=_Like):
        stands_for = real.datetime

        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return cls.fromtimestamp(clock.now(), tz)

        @classmethod
        def today(cls) -> Any:
            return cls.fromtimestamp(clock.now())

        @classmethod
        def utcnow(cls) -> Any:
            return cls.fromtimestamp(clock.now(), real.UTC).replace(tzinfo=None)

        @classmethod
        def strptime(cls, text: str, format: str) -> Any:
            return _strptime._strptime_datetime(cls, text, format)

    for made in (date, datetime):
        made.__qualname__, made.__module__ = made.__name__, "datetime"
    return {"date": date, "datetime": datetime}
