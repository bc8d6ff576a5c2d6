"""Every way a request can be refused.

* MultiplayerError
  x Malformed                        the words of the request are wrong
    + InvalidRequest · BadMessage · BadOp
  x Refused                          the words are right, the rules say no
    + NotMember · NotAdmin
  x NotFound                         no such thing, or the caller may not know of it
    + ChannelNotFound · InviteInvalid · RejoinTokenInvalid · BotNotFound
  x Conflict                         right a moment ago, or for somebody else
    + SlotAlreadyFilled · SeatAmbiguous · TermsChanged · ChannelClosed
  x TooLarge
  x BotRejected                      the source cannot be a referee here
  x Later                            come back after ``retry_after`` seconds
    + RateLimited · Unavailable (Restarting)
* HeadMoved                          another writer appended first; never shown to a caller
* BrokenLog                          a log does not hash to what it claims; never a refusal

``code`` is what callers' programs go by (README.md lists all of them). ``hint`` is addressed to
the caller, usually a language model, and says what to do next.
"""

from __future__ import annotations

import math
from typing import ClassVar


class MultiplayerError(Exception):
    """Base class of every refusal a caller can meet."""

    code: ClassVar[str] = "INTERNAL_ERROR"
    hint: str = ""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint


class Malformed(MultiplayerError):
    """The request cannot mean anything; nothing was looked up."""


class InvalidRequest(Malformed):
    """An argument is missing, of the wrong kind or out of range."""

    code = "INVALID_REQUEST"
    hint = 'Correct the argument and call again; help("errors") lists the codes.'


class BadMessage(Malformed):
    """A message has a kind or a body that its sender may not use."""

    code = "BAD_MESSAGE"
    hint = "Post text or a JSON object, with kind left out."


class BadOp(Malformed):
    """One of the ops of update_channel is unknown or lacks a field."""

    code = "BAD_OP"
    hint = "None of the ops was carried out. Correct this one and send the list again."


class Refused(MultiplayerError):
    """The request is well formed and the rules say no."""


class NotMember(Refused):
    """The caller holds no seat here, whether or not the channel exists."""

    code = "NOT_MEMBER"
    hint = "list_channels shows your seats. With an invite or a rejoin_token: join_channel."


class NotAdmin(Refused):
    """The caller may be here and may not do this."""

    code = "NOT_ADMIN"
    hint = "get_channel_info shows which seat is admin; without one the room cannot be changed."


class NotFound(MultiplayerError):
    """The named thing does not exist, or the caller may not know that it does."""


class ChannelNotFound(NotFound):
    """The id is not of the form of a channel id."""

    code = "CHANNEL_NOT_FOUND"
    hint = "A channel id starts with chn_. list_channels shows yours."


class InviteInvalid(NotFound):
    """The invite code is unknown, replaced or expired."""

    code = "INVITE_INVALID"
    hint = "Ask the room's creator for a fresh link (update_channel with reissue_invite)."


class RejoinTokenInvalid(NotFound):
    """The rejoin token is unknown or was voided."""

    code = "REJOIN_TOKEN_INVALID"
    hint = "Under the login that joined you need no token: list_channels shows your seats."


class BotNotFound(NotFound):
    """There is no bot or preset of this name."""

    code = "BOT_NOT_FOUND"
    hint = "list_bots names the presets; get_channel_info the bots of a room."


class Conflict(MultiplayerError):
    """The request was right for another moment or another caller."""


class SlotAlreadyFilled(Conflict):
    """Another account has used this invite."""

    code = "SLOT_ALREADY_FILLED"
    hint = (
        "If it was you, under another login: join_channel with your rejoin_token, or sign in as "
        "then. If the seat was meant for you, ask the creator for a fresh invite."
    )


class SeatAmbiguous(Conflict):
    """The caller holds several seats here and did not say which one speaks."""

    code = "SEAT_AMBIGUOUS"
    hint = "Repeat the call with seat=..."


class TermsChanged(Conflict):
    """The room is not the one the caller looked at."""

    code = "TERMS_CHANGED"
    hint = "Call inspect_invite again, tell your user what changed, then join."


class ChannelClosed(Conflict):
    """The room is closed; it can be read and nothing more."""

    code = "CHANNEL_CLOSED"
    hint = "It can still be read with sync_messages. Open a new room with create_channel."


class TooLarge(MultiplayerError):
    """Something exceeds a limit; health_check shows the limits."""

    code = "TOO_LARGE"
    hint = "Make it smaller; health_check shows the limits."


class BotRejected(MultiplayerError):
    """The source cannot be attached; the message has the line and the reason."""

    code = "BOT_REJECTED"
    hint = 'Correct that line and try again; help("bots") shows what a bot may use.'


class Later(MultiplayerError):
    """Not now. ``retry_after`` is in seconds. A hint names them where it says ``{wait}``: whoever
    calls a tool sees no header."""

    def __init__(self, message: str, *, retry_after: float = 1.0, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after
        self.hint = self.hint.replace("{wait}", str(self.wait))

    @property
    def wait(self) -> int:
        """Whole seconds, rounded up, as in ``Retry-After``."""
        return max(1, math.ceil(self.retry_after))


class RateLimited(Later):
    """The caller, or the whole room, is faster than its limit."""

    code = "RATE_LIMITED"
    hint = "Wait {wait} s, then repeat the same call; nothing was done."


class Unavailable(Later):
    """The server cannot do this at the moment."""

    code = "UNAVAILABLE"
    hint = "Repeat the same call in {wait} s."


class Restarting(Unavailable):
    """The server is about to end, most likely to be started again; nothing was done."""

    def __init__(self) -> None:
        super().__init__("the server restarts", retry_after=2)


class HeadMoved(Exception):
    """Another writer appended first: fold what it wrote and decide again."""


class BrokenLog(Exception):
    """A log does not hash to what it claims; ``entry`` is the first bad place."""

    def __init__(self, entry: int, reason: str) -> None:
        super().__init__(f"entry {entry}: {reason}")
        self.entry = entry
        self.reason = reason
