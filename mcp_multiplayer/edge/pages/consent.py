"""The questions of a sign-in: the passcode, and which player.

On the other side of the form is a person who may have been sent here by a stranger's link.
What he needs to notice that is on the page: which client, under a name nobody checked, and
where the code goes.
"""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.responses import Response

from mcp_multiplayer.edge.auth import redirects
from mcp_multiplayer.edge.auth.accounts import Account
from mcp_multiplayer.edge.auth.authorize import Ask
from mcp_multiplayer.edge.pages.layout import WAY_BACK, esc, page


def ask(question: Ask, *, query: str) -> Response:
    """Return the page that asks ``question`` about the client's wish ``query``."""
    inner = _passcode(question) if question.passcode else _players(question)
    form = (
        '<form method="post" action="/oauth/authorize">'
        f'<input type="hidden" name="request" value="{esc(query)}">'
        f'<input type="hidden" name="csrf" value="{esc(question.csrf)}">{inner}</form>'
    )
    status = 200
    if question.wrong:
        status = 429 if question.wait else 403
    return page(
        "Sign in to MCP Multiplayer",
        f"<h1>MCP Multiplayer</h1>{_who(question)}{form}",
        status=status,
        form_targets=("'self'", redirects.form_target(question.redirect_uri)),
        wait=question.wait,
    )


def _who(question: Ask) -> str:
    name = question.client.name or "An app without a name"
    return (
        f"<p><strong>{esc(name)}</strong> wants to play here in your name."
        " It will be sent to:</p>"
        f'<p class="say host">{esc(redirects.shown_host(question.redirect_uri))}</p>'
        '<p class="small">The name is what the app calls itself. Go on only if you have just'
        " connected this app yourself and recognise the address.</p>"
    )


def _passcode(question: Ask) -> str:
    told = ""
    if question.wrong and question.wait:
        told = f"<p>Too many wrong tries. Wait {int(question.wait) + 1} seconds.</p>"
    elif question.wrong:
        told = "<p>That is not the passcode.</p>"
    return (
        f"{told}<p><label>This server has a passcode:<br>"
        '<input name="passcode" type="password" autocomplete="current-password" required'
        ' autofocus></label> <button class="go">Enter</button></p>'
    )


def _players(question: Ask) -> str:
    go = ' class="go"'
    buttons = "".join(
        f'<p><button name="choice" value="{esc(account.sub)}"{go if not place else ""}>'
        f"Continue as {esc(account.name)}</button> {_last(account)}</p>"
        for place, account in enumerate(question.accounts)
    )
    label = "New separate player" if question.accounts else "Continue as a new player"
    first = "" if question.accounts else go
    return (
        f'{buttons}<p><button name="choice" value="new"{first}>{label}</button>'
        ' <button name="choice" value="deny">Cancel</button></p>'
        f'<p class="small">{_what_a_player_is(bool(question.accounts))}</p>'
    )


def _what_a_player_is(known: bool) -> str:
    if not known:
        return (
            "This browser holds no player yet; the new one starts without rooms and seats."
            f" Have you played here before? {esc(WAY_BACK)}"
        )
    return (
        "A player holds its own rooms and seats. Continue as one to share them with this app;"
        " a new one starts empty."
    )


def _last(account: Account) -> str:
    name = esc(account.last_client or "an app")
    return (
        f'<span class="small">made on {_day(account.created_at)},'
        f" last used by {name}, {_day(account.last_at)}</span>"
    )


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%d %B %Y, %H:%M UTC")
