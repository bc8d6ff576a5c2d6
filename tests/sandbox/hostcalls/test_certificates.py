"""One site is judged alike by every Python."""

from __future__ import annotations

import ssl

import pytest

from mcp_multiplayer.sandbox.hostcalls.certificates import believing, usual


def test_what_python_3_13_added_to_its_defaults_is_taken_out() -> None:
    context = believing(usual())
    plain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    assert context.verify_flags == plain.verify_flags
    assert context.check_hostname and context.verify_mode == ssl.CERT_REQUIRED


def test_who_believes_nobody_is_told() -> None:
    with pytest.raises((ssl.SSLError, ValueError)):
        believing("no certificates")
