"""The time a referee sees: that of the event its hook answers, so that a replay sees the same. Time
stands still while a hook runs: every clock reads the time of the entry that called it, however
often it is asked, and ``time.sleep`` returns at once. The times of a log never go back, so no clock
of a room does, whichever of its bots asks.
"""

from __future__ import annotations

import _strptime  # type: ignore[import-not-found]
import calendar
import datetime as real
import functools
import time
from time import asctime as _asctime
from time import gmtime as _gmtime
from time import strftime as _strftime
from time import time as _time
from typing import Any, ClassVar

#: The clocks of ``time`` that count seconds; each has a sister that counts nanoseconds.
_COUNTING = ("time", "monotonic", "perf_counter", "process_time", "thread_time")
_ASKING = ("asctime", "ctime", "gmtime", "localtime", "sleep", "strftime")


class Clock:
    """Seconds since the epoch, the same all along a hook."""

    def __init__(self, at: float = 0.0) -> None:
        self.at = float(at)

    @functools.cached_property
    def names(self) -> dict[str, Any]:
        """What `time` is by this clock."""
        return time_names(self)

    def now(self) -> float:
        """The time of the event."""
        return self.at

    def now_ns(self) -> int:
        """The same in nanoseconds; a log counts milliseconds."""
        return round(self.at * 1000) * 1_000_000

    def sleep(self, seconds: float) -> None:
        """Nobody waits, and afterwards it is as late as before."""
        if not 0 <= seconds <= 366 * 86400:
            raise ValueError("sleep length must be non-negative and at most a year")


def time_names(clock: Clock) -> dict[str, Any]:
    """The ``time`` module of a bot."""

    def gmtime(seconds: float | None = None) -> time.struct_time:
        return _gmtime(clock.now() if seconds is None else seconds)

    def strftime(format: str, t: Any = None) -> str:
        return _strftime(format, gmtime() if t is None else t)

    def strptime(text: str, format: str = "%a %b %d %H:%M:%S %Y") -> Any:
        return _strptime._strptime_time(text, format)

    def asctime(t: Any = None) -> str:
        return _asctime(gmtime() if t is None else t)

    names: dict[str, Any] = {
        "gmtime": gmtime,
        "localtime": gmtime,
        "strftime": strftime,
        "strptime": strptime,
        "asctime": asctime,
        "ctime": lambda seconds=None: asctime(gmtime(seconds)),
        "mktime": lambda t: float(calendar.timegm(t)),
        "sleep": clock.sleep,
        "struct_time": time.struct_time,
        "timezone": 0,
        "altzone": 0,
        "daylight": 0,
        "tzname": ("UTC", "UTC"),
    }
    for name in _COUNTING:
        names |= {name: clock.now, name + "_ns": clock.now_ns}
    return names


class _Like(type):
    """Lets isinstance say yes to what datetime's own methods return."""

    stands_for: type

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, cls.stands_for)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, cls.stands_for)


class date(real.date, metaclass=_Like):
    """``datetime.date`` by the clock of the hook that runs here."""

    stands_for = real.date
    min: ClassVar[real.date]
    max: ClassVar[real.date]

    @classmethod
    def today(cls) -> Any:
        return cls.fromtimestamp(_now())


class datetime(real.datetime, metaclass=_Like):
    """``datetime.datetime`` by that clock. No value of it leads to one that asks the machine."""

    stands_for = real.datetime
    min: ClassVar[real.datetime]
    max: ClassVar[real.datetime]

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return cls.fromtimestamp(_now(), tz)

    @classmethod
    def today(cls) -> Any:
        return cls.fromtimestamp(_now())

    @classmethod
    def utcnow(cls) -> Any:
        return cls.fromtimestamp(_now(), real.UTC).replace(tzinfo=None)

    @classmethod
    def strptime(cls, text: str, format: str) -> Any:
        return _strptime._strptime_datetime(cls, text, format)

    def date(self) -> Any:
        return date(self.year, self.month, self.day)


date.min, date.max = date(1, 1, 1), date(9999, 12, 31)
datetime.min, datetime.max = datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999)
for _made in (date, datetime):
    _made.__qualname__, _made.__module__ = _made.__name__, "datetime"


# --- what libraries ask of the time ---------------------------------------------------------------

#: The clock of the hook that runs in this process, for whoever asks the machine.
_running: list[Clock] = []


def _now() -> float:
    return _running[0].now() if _running else _time()


def govern_libraries(clock: Clock | None) -> None:
    """From here on libraries see this hook's time; None: the machine's again."""
    _running[:] = [] if clock is None else [clock]


def stand_ins() -> dict[Any, Any]:
    """What a library may have taken hold of, with what tells the hook's time in its place."""
    found: dict[Any, Any] = {real.date: date, real.datetime: datetime}
    for name in (*_ASKING, *_COUNTING, *(name + "_ns" for name in _COUNTING)):
        function = getattr(time, name, None)
        if function is not None:
            found[function] = _standing_in(function, name)
    return found


def _standing_in(function: Any, name: str) -> Any:
    def told(*args: Any) -> Any:
        return (_running[0].names[name] if _running else function)(*args)

    return told
