"""One form for every way to write a host or an origin, and it is the browsers'."""

from __future__ import annotations

import pytest

from mcp_multiplayer import addresses

HOSTS = {
    "mp.example": [
        "mp.example",
        "Mp.EXAMPLE",
        "mp.example.",
        " mp.example ",
        "ｍｐ。example",
        "Ⓜp.example",
    ],
    "xn--bcher-kva.example": ["bücher.example", "BÜCHER.example", "xn--bcher-kva.example"],
    "xn--strae-oqa.de": ["straße.de", "STRAßE.de"],  # no strasse.de: that is another place
    "xn--n3h.net": ["☃.net"],
    "my_box.local": ["my_box.local"],
    "127.0.0.1": ["127.0.0.1", "127.1", "0x7f.0.0.1", "2130706433", "127.0.0.1."],
    "[::1]": ["[::1]", "[0:0:0:0:0:0:0:1]"],
    "[2001:db8::a]": ["[2001:DB8:0::00A]"],
}


@pytest.mark.parametrize(("form", "written"), [(f, w) for f, ws in HOSTS.items() for w in ws])
def test_a_host_has_one_form(form: str, written: str) -> None:
    assert addresses.host(written) == form
    assert addresses.host(form) == form


NO_HOST = """. a..b http://a a/b a:80 a@b ::1 [::1 [fe80::1%eth0] [mp.example] -a 1.2.3.4.5
256.1.1.1 ü..de a,b *.a"""


@pytest.mark.parametrize(
    "text",
    ["", "a b", "a" * 64, *NO_HOST.split()],
)
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        addresses.host(text)


ORIGINS = {
    "https://mp.example": [
        "https://Mp.Example",
        "HTTPS://mp.example/",
        "https://mp.example:443",
        "https://mp.example.:443//",
    ],
    "http://mp.example:443": ["http://mp.example:443"],
    "https://mp.example:8443": ["https://MP.example:08443"],
    "http://[::1]:8100": ["http://[0::1]:8100"],
    "http://127.0.0.1": ["http://127.1:80"],
}


@pytest.mark.parametrize(("form", "written"), [(f, w) for f, ws in ORIGINS.items() for w in ws])
def test_an_origin_has_one_form(form: str, written: str) -> None:
    assert addresses.origin(written) == form
    assert addresses.origin(form) == form


NONE = """null mp.example //mp.example ftp://mp.example https:// https://mp.example/a file:///a
https://mp.example?a https://mp.example#a https://u@mp.example https://u:p@mp.example http://[::1
https://mp.example:x https://mp.example:70000"""


@pytest.mark.parametrize("text", ["", "https://a b", *NONE.split()])
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        addresses.origin(text)
