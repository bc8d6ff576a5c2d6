"""The one cookie of this server: by it a browser is known again."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

_SECONDS = 400 * 86400  #: as long as browsers keep one at most


@dataclass(frozen=True)
class Cookie:
    """``secure``: our address is https."""

    secure: bool

    @property
    def name(self) -> str:
        # RFC 6265bis §4.1.3.2: with this prefix no other host or path can set it for us.
        return "__Host-mpx_browser" if self.secure else "mpx_browser"

    def of(self, request: Request) -> str:
        """What the browser carries, "" for nothing."""
        return request.cookies.get(self.name, "")

    def put(self, response: Response, value: str) -> None:
        """Have the browser carry it. Lax, because an app sends the browser here from elsewhere."""
        response.set_cookie(
            self.name,
            value,
            max_age=_SECONDS,
            secure=self.secure,
            httponly=True,
            samesite="lax",
        )
