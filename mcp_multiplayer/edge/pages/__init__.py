"""Pages for people: sign-in, invite link, and what this address is.

No page loads anything from elsewhere, may be framed, or runs a script that is not named
by its hash in the page's own policy. Strangers' text is escaped in Python (`page.esc`)
or set with `textContent`.

Read ``page`` first; the others fill it.
"""
