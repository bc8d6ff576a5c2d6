"""What an operator sets, and what is said when it cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest
from dotenv import dotenv_values

from settings import BadSetting, Settings, load

EXAMPLE = Path(__file__).parent.parent / ".env.example"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the developer's environment nor a .env counts here."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_the_example_names_every_setting_and_no_other() -> None:
    assert list(dotenv_values(EXAMPLE)) == [name.upper() for name in Settings.model_fields]


def test_the_example_shows_the_defaults(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(EXAMPLE.read_text())
    assert load() == Settings.model_construct()
    for name, shown in dotenv_values(EXAMPLE).items():
        assert shown or Settings.model_fields[name.lower()].default == "", name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PROXY_PORT", "eighty"),
        ("PROXY_PORT", "70000"),
        ("MCP_PORT", "0"),
        ("USE_SSL", "perhaps"),
        ("PUBLIC_URL", "mp.example"),
        ("PUBLIC_URL", "https://mp.example/rooms"),
        ("PUBLIC_URL", "https://mp.example?a=b"),
        ("PUBLIC_URL", "https://me@mp.example"),
        ("PUBLIC_URL", "https://mp.example:x"),
        ("DOMAIN", "http://mp.example"),
        ("DOMAIN", "mp.example:8443"),
        ("DOMAIN", "mp.example/rooms"),
        ("DOMAIN", "mp example"),
        ("PROXY_HOST", "http://127.0.0.1"),
        ("MCP_HOST", "127.0.0.1:8201"),
        ("INLINE_BOTS", "some"),
        ("BOT_ISOLATION", "none"),
        ("BOT_HOOK_SECONDS", "0"),
        ("BOT_HOOK_FUEL", "0"),
        ("MAX_BODY_KB", "49"),
        ("RATE_LIMIT", "-1"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_a_value_that_cannot_be_used_is_one_line_that_names_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadSetting) as refusal:
        load()
    text = str(refusal.value)
    assert "\n" not in text
    assert text.startswith((f"{name}={value!r}:", f"{name}={value.upper()!r}:"))
    assert ".env.example" in text
    assert "Input should" not in text
    assert "Value error" not in text


def test_two_faults_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROXY_PORT", "x")
    monkeypatch.setenv("MAX_SEATS", "0")
    with pytest.raises(BadSetting, match=r"PROXY_PORT=.*MAX_SEATS="):
        load()


def test_an_empty_value_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROXY_PORT", "")
    assert load().proxy_port == 8100


def test_the_environment_wins_over_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("PROXY_PORT=1\nMCP_PORT=2\n")
    monkeypatch.setenv("PROXY_PORT", "3")
    assert (load().proxy_port, load().mcp_port) == (3, 2)


@pytest.mark.parametrize(
    ("environment", "host", "url"),
    [
        ({}, "", "http://localhost:8100"),
        ({}, "127.0.0.1:8100", "http://127.0.0.1:8100"),
        ({}, "[::1]:8100", "http://[::1]:8100"),
        ({}, "[::1]", "http://[::1]:8100"),
        ({}, "evil.example", "http://localhost:8100"),
        ({"DOMAIN": "mp.example"}, "localhost", "http://mp.example:8100"),
        ({"DOMAIN": "mp.example", "PROXY_PORT": "80"}, "", "http://mp.example"),
        ({"DOMAIN": "mp.example", "USE_SSL": "true"}, "", "https://mp.example:8100"),
        (
            {"DOMAIN": "mp.example", "USE_SSL": "true", "PROXY_PORT": "443"},
            "",
            "https://mp.example",
        ),
        ({"PUBLIC_URL": "https://mp.example/"}, "localhost:8100", "https://mp.example"),
        ({"PUBLIC_URL": "HTTPS://Mp.Example:443"}, "", "https://mp.example"),
        ({"PUBLIC_URL": "https://bücher.example"}, "", "https://xn--bcher-kva.example"),
        ({"DOMAIN": "Mp.Example."}, "", "http://mp.example:8100"),
        ({"DOMAIN": "::1"}, "", "http://[::1]:8100"),
        ({"DOMAIN": "LOCALHOST"}, "LocalHost:8100", "http://localhost:8100"),
    ],
)
def test_the_address_others_use(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], host: str, url: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert load().base_url(host) == url
    assert url in load().issuers
    assert load().is_own(url)
    assert not load().is_own("null")


def test_where_to_listen_is_written_with_brackets_or_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for written in ("::1", "[::1]", "[0:0::1]"):
        monkeypatch.setenv("PROXY_HOST", written)
        assert load().proxy_host == "::1"
