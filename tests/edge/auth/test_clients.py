"""What somebody who writes a client reads when a registration does not fit."""

from __future__ import annotations

import pytest

from mcp_multiplayer.edge.auth.clients import Refused, _read


@pytest.mark.parametrize(
    ("document", "error", "words"),
    [
        (b"{", "invalid_client_metadata", "the registration must be a JSON object"),
        (b"[]", "invalid_client_metadata", "the registration must be a JSON object"),
        (b'{"client_name": 5}', "invalid_client_metadata", "client_name must be text"),
        (b'{"redirect_uris": "x"}', "invalid_redirect_uri", "redirect_uris must be a short list"),
        (b'{"redirect_uris": [5]}', "invalid_redirect_uri", "redirect_uris must be a short list"),
        (b'{"grant_types": 5}', "invalid_client_metadata", "grant_types must be a short list"),
    ],
)
def test_what_does_not_fit_is_named_with_what_would(
    document: bytes, error: str, words: str
) -> None:
    with pytest.raises(Refused, match=words) as refused:
        _read(document)
    assert refused.value.error == error
