"""Notes which functions of ours a process runs, between SIGUSR1 and SIGUSR2.

Imported by Python itself at the start of each process whose PYTHONPATH has this directory
(`benchmarks/path.py`). What was noted is written to ``$TRACED/<pid>.json``. All threads count. A
coroutine counts where it begins and not where it goes on.
"""

from __future__ import annotations

import dis
import json
import os
import signal
import sys
import threading
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

_OURS = str(Path(__file__).parents[2] / "mcp_multiplayer") + os.sep
_RESUME = dis.opmap["RESUME"]
#: Of a generator or coroutine: its instruction to go on (not to begin) has such an argument.
_GOES_ON = 3


class Trace:
    """The calls of our functions."""

    def __init__(self) -> None:
        self.on = False
        #: file, function, file and function of the nearest caller
        self.calls: list[tuple[str, str, str, str]] = []

    def begin(self, *_: Any) -> None:
        self.calls.clear()
        self.on = True

    def end(self, *_: Any) -> None:
        self.on = False
        found = Path(os.environ["TRACED"], f"{os.getpid()}.json")
        part = found.with_suffix(".part")
        part.write_text(json.dumps(self.calls))
        part.rename(found)

    def profile(self, frame: FrameType, event: str, _: Any) -> None:
        if not self.on or event != "call" or not _is_ours(frame.f_code) or _goes_on(frame):
            return
        caller = frame.f_back
        while caller is not None and not _is_ours(caller.f_code):
            caller = caller.f_back
        above = ("", "") if caller is None else (_file(caller.f_code), caller.f_code.co_qualname)
        self.calls.append((_file(frame.f_code), frame.f_code.co_qualname, *above))


def _is_ours(code: CodeType) -> bool:
    return code.co_filename.startswith(_OURS)


def _file(code: CodeType) -> str:
    return code.co_filename.removeprefix(_OURS)


def _goes_on(frame: FrameType) -> bool:
    code, at = frame.f_code.co_code, frame.f_lasti
    return at >= 0 and code[at] == _RESUME and bool(code[at + 1] & _GOES_ON)


if "TRACED" in os.environ:
    trace = Trace()
    signal.signal(signal.SIGUSR1, trace.begin)
    signal.signal(signal.SIGUSR2, trace.end)
    threading.setprofile(trace.profile)
    sys.setprofile(trace.profile)
