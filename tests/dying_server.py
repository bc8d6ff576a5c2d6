"""multiplayer_server.py that kills itself: `python dying_server.py POINT COUNT`.

Not a test; `tests/test_kill_at_any_point.py` starts it. The ``COUNT``-th time that it comes to
``POINT`` it is gone as by kill -9. Without arguments it is the server as it is.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from mcp_multiplayer import multiplayer_server
from mcp_multiplayer.edge import serve
from mcp_multiplayer.service.channel_manager import ChannelManager
from mcp_multiplayer.service.log_keys import LogKeys
from mcp_multiplayer.service.rollback_guard import RollbackGuard
from mcp_multiplayer.service.sequencer import Sequencer
from mcp_multiplayer.storage.sqlite import SqliteStore, _Batches


def half_a_line(heads: RollbackGuard, line: bytes) -> None:
    """A machine that stops in the middle of a write."""
    assert heads._file is not None
    os.write(heads._file, line[: len(line) // 2])


#: Where it may die: what is wrapped, whether before or after it is done, what is done instead.
POINTS: dict[str, tuple[type, str, bool, Callable[..., Any] | None]] = {
    "before the append": (SqliteStore, "append", True, None),
    "append durable, nobody told": (_Batches, "_transact", False, None),
    "before the record": (RollbackGuard, "record", True, None),
    "in the record": (RollbackGuard, "_append", False, half_a_line),
    "record written, nothing signed": (RollbackGuard, "_append", False, None),
    "signed, not sent": (LogKeys, "checkpoint", False, None),
    "before the run": (Sequencer, "_judge", True, None),
    "posted, hooks due": (ChannelManager, "_handled", True, None),
}


def die_at(point: str, count: int) -> None:
    owner, name, early, instead = POINTS[point]
    original = getattr(owner, name)
    left = count

    def dying(*args: Any, **kwargs: Any) -> Any:
        nonlocal left
        left -= 1
        if left or (early is False and instead is None):
            result = original(*args, **kwargs)
            if left:
                return result
        elif instead is not None:
            instead(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, dying)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        die_at(sys.argv[1], int(sys.argv[2]))
    serve.run("multiplayer_server", multiplayer_server.main)
