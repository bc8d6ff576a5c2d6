"""A process that hooks are forked from, made ready."""

from __future__ import annotations

import builtins
import platform
import subprocess
import sys

import pytest

from mcp_multiplayer.demo.pair import ROOT
from mcp_multiplayer.sandbox.worker import warmup

HUGE = """
from mcp_multiplayer.sandbox.worker import warmup
warmup.ready()
warmup.collapse()
with open("/proc/self/smaps_rollup") as told:
    print(next(line.split()[1] for line in told if line.startswith("AnonHugePages")))
"""


@pytest.mark.skipif(
    tuple(map(int, platform.release().split(".")[:2])) < (6, 1), reason="MADV_COLLAPSE is of 6.1"
)
def test_the_memory_of_a_zygote_is_kept_in_huge_pages() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", HUGE], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert int(ran.stdout) >= 2048


def test_where_nothing_tells_what_is_mapped_it_stays_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(builtins, "open", refuse)
    warmup.collapse()
