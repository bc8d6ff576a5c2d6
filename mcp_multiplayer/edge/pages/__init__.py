"""Pages for people: sign-in, invite link, rooms, and what this address is.

No page loads anything from elsewhere, may be framed, or runs a script that is not a file of ours;
none makes an element out of text. Strangers' words are escaped by Jinja2, or set with
`textContent`.

Read ``layout`` first, then ``website``, which has the addresses; ``static/`` is what browsers load.
"""
