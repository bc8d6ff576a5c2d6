"""How somebody becomes a caller: an OAuth 2.1 authorization server of our own.

Theory of operation. A *client* (a program) registers itself. A *browser* (a cookie)
holds *accounts*; an account is nothing but a random `sub`, for nobody signs up here.
At /oauth/authorize an account lends itself to a client: that is a *grant*, and with it
the family of everything issued from it. One code, then access and refresh tokens hang
on the grant; revoking, replaying a code or replaying a refresh token ends the grant and
with it the family, in the same transaction that notices it.

An authorization request is validated once, in ``authorize``, and what a yes makes (account,
browser, approval, grant, code) is one transaction of ``grants``. At the token endpoint authlib's
core judges; what it leaves open or judges too mildly is in ``server``. The core is synchronous and
so is SQLite: ``endpoints`` calls both on worker threads.

Read in this order: ``database``, ``redirects`` and ``clients``, ``grants``, ``authorize``,
``server``, ``endpoints``.
"""
