"""An HTTP request of a bot, taken apart.

Apart from `sandbox/hostcalls/fetcher.py`, which sends it, so that whoever only reads questions (an
offline verifier) needs nothing to send them with.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Request:
    """What to send, already taken apart."""

    scheme: str
    host: str  #: as it is looked up and verified
    port: int  #: as the bot wrote it
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def at(self, name: str) -> Request:
        """The same request under the name that was looked up."""
        return replace(self, host=name)

    @property
    def authority(self) -> str:
        """The Host header: no other than the host that is connected to."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = {"http": 80, "https": 443}[self.scheme]
        return host if self.port == usual else f"{host}:{self.port}"
