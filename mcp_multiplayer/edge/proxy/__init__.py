"""How a request crosses from the internet to the server.

Theory of operation. ``app`` looks at method and path. What needs no login (sign-in,
/healthz, /invite_card, pages) is answered there; everything else passes ``origins``
(is this address ours, may this page ask), ``authentication`` (bearer token -> caller) and is then
carried by ``forward``, stripped and signed by ``headers``, and streamed back. A request
without a valid token reaches nothing. All of it is plain ASGI: a middleware of Starlette
would cost more than the whole hop.

Read in this order: ``app``, ``origins``, ``address``, ``authentication``, ``headers``, ``forward``
and ``replies``.
"""
