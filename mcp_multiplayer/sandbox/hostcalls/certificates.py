"""Whose certificates are believed, and how strictly.

Used by the host, which answers for bots, and in the worker, where a bot encrypts a connection
of its own; the two may not judge one site differently, nor one of them from Python to Python.
"""

from __future__ import annotations

import functools
import ssl

#: What Python 3.13 added to its defaults: refuse a chain that leaves out what RFC 5280 asks for
#: (the authority key identifier of §4.2.1.1: many private authorities do), and believe a chain
#: that ends before its root.
_SINCE_3_13 = ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
_make = ssl.create_default_context  # the worker puts another in its place


@functools.cache
def usual() -> str:
    """certifi's bundle, as PEM; to be read while files can be read."""
    import certifi

    return certifi.contents()


def believing(pem: str) -> ssl.SSLContext:
    """A client's TLS context that believes these authorities and no others.

    Raises ssl.SSLError or ValueError if there is none among them.
    """
    context = _make(cadata=pem)
    context.verify_flags &= ~_SINCE_3_13
    return context
