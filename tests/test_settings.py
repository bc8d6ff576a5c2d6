"""What an operator sets, and what is said when it cannot be used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from dotenv import dotenv_values

from mcp_multiplayer.config import NAMES, BadSetting, Settings, doubts, load

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / ".env.example"


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


# Slips that would go unnoticed


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("ACCES_PASSCODE=x", "did you mean ACCESS_PASSCODE?"),
        ("acces_passcode=x", "did you mean ACCESS_PASSCODE?"),
        ("export ACCESSPASSCODE=x", "did you mean ACCESS_PASSCODE?"),
        ("ACCESS-PASSCODE=x", "did you mean ACCESS_PASSCODE?"),
        ("DOMIAN=mp.example", "did you mean DOMAIN?"),
        ("PUBLIC_URI=https://mp.example", "did you mean PUBLIC_URL?"),
        ("FRONTNET=172.28.82", "did you mean FRONT_NET?"),
        ("ACCESS_PASSCODE=x\nACCESS_PASSCODE=", "twice"),
        ("ACCESS_PASSCODE=x\naccess_passcode=y", "twice"),
        ("ACCESS_PASSCODE", "is no NAME=value"),
        ("ACCESS_PASSCODE: x", "is no NAME=value"),
        ("ACCESS PASSCODE=x", "is no NAME=value"),
    ],
)
def test_what_the_file_means_and_does_not_say_stops_the_start(
    tmp_path: Path, line: str, words: str
) -> None:
    (tmp_path / ".env").write_text(f"# comment\n\nMAX_SEATS=3\n{line}\n")
    with pytest.raises(BadSetting) as refusal:
        load()
    text = str(refusal.value)
    assert words in text
    assert re.search(r"\.env, line [45]: ", text)
    assert "\n" not in text


def test_several_slips_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("ACCES_PASSCODE=x\nDOMIAN=y\n")
    with pytest.raises(BadSetting, match=r"line 1: .*; \.env, line 2: "):
        load()


def test_a_file_as_other_programs_write_it_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "\ufeffPROXY_PORT=\"1\"\r\nexport MCP_PORT='2'  # comment\r\nmax_seats=3\r\n", newline=""
    )
    settings = load()
    assert (settings.proxy_port, settings.mcp_port, settings.max_seats) == (1, 2, 3)
    assert doubts() == []


def test_names_that_nothing_reads_are_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PASSCODE=x\nTZ=UTC\nFRONT_NET=172.28.82\nCOMPOSE_PROFILES=a\n")
    load()
    (line,) = doubts()
    assert line.endswith(": PASSCODE, TZ")


def test_a_near_miss_in_the_environment_is_told_and_stops_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ACCES_PASSCODE", "x")
    monkeypatch.setenv("EDITOR", "vi")
    load()
    (line,) = doubts()
    assert line.startswith("ACCES_PASSCODE in the environment")
    assert "ACCESS_PASSCODE?" in line


def test_what_docker_compose_reads_from_the_file_is_known() -> None:
    read = set(re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text()))
    assert "FRONT_NET" in read
    assert read <= NAMES


@pytest.mark.parametrize(
    ("name", "value", "clear"),
    [
        ("DOMAIN", "localhost", False),
        ("DOMAIN", "[::1]", False),
        ("DOMAIN", "mp.example", True),
        ("PUBLIC_URL", "https://mp.example", False),
        ("PUBLIC_URL", "http://mp.example", True),
        ("PUBLIC_URL", "http://192.0.2.7:8100", True),
        ("PUBLIC_URL", "http://127.0.0.1:9000", False),
        ("PUBLIC_URL", "http://[::1]", False),
    ],
)
def test_tokens_in_clear_are_noticed_by_the_address_that_others_use(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, clear: bool
) -> None:
    monkeypatch.setenv(name, value)
    assert load().unencrypted is clear
