"""Pages for people: sign-in, invite link, and what this address is.

No page loads anything from elsewhere, may be framed, or runs a script that is not named
by its hash in the page's own policy. Strangers' text is escaped by Jinja2, or set with
`textContent`.

Read ``layout`` first; the others fill it.
"""
