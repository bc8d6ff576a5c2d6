"""How somebody becomes a caller: an OAuth 2.1 authorization server of our own.

Theory of operation. A *client* (a program) registers itself. A *browser* (a cookie)
holds *accounts*; an account is nothing but a random `sub`, for nobody signs up here.
At /oauth/authorize an account lends itself to a client: that is a *grant*, and with it
the family of everything issued from it. One code, then access and refresh tokens hang
on the grant; revoking, replaying a code or replaying a refresh token ends the grant and
with it the family, in the same transaction that notices it.

authlib's core parses and judges requests; what it leaves open or judges too mildly
(PKCE, replay, `iss`, 401, resource) is in ``grants`` and ``server``. The core is
synchronous and so is SQLite: ``endpoints`` calls both on worker threads.

Read in this order: ``database``, ``clients`` and ``redirects``, ``accounts``,
``tokens``, ``grants``, ``server``, ``registration``, ``consent``, ``endpoints``.
"""
