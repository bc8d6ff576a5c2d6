"""Names that a log may hold and the sandbox gives out: hooks, kinds of a referee's messages."""

from __future__ import annotations

import re

#: The names a referee's class may define for the host to call, and nothing else.
HOOKS = ("on_init", "on_join", "on_start", "on_message", "on_leave", "on_timer")
#: A referee's message's kind, and its timer's name.
KIND = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,31}")
