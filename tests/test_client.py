"""The settings of the scripts are those of the checkout, from wherever a script is started."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from mcp_multiplayer import client


def test_a_script_started_elsewhere_reads_the_settings_of_its_checkout(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (checkout := tmp_path / "checkout").mkdir()
    (elsewhere := tmp_path / "elsewhere").mkdir()
    (checkout / ".env.scripts").write_text("MCP_BASE_URL=https://mp.example\n")
    (elsewhere / ".env.scripts").write_text("MCP_BASE_URL=https://other.example\n")
    monkeypatch.setattr(client, "HOME", checkout)
    monkeypatch.delenv("MCP_BASE_URL", raising=False)
    monkeypatch.chdir(elsewhere)
    assert client.Settings.load().base_url == "https://mp.example"


def _login(monkeypatch: pytest.MonkeyPatch, file: Path, *answers: httpx.Response) -> client.SignIn:
    """A sign-in whose server answers so, in turn."""
    settings = client.Settings("http://x", "test", False, file, "", host="mp.example")
    made = client.SignIn(settings)
    rest = list(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["host"] == "mp.example"
        return rest.pop(0)

    headers = {"Host": "mp.example"}
    transport = httpx.MockTransport(answer)
    made.close()
    http = httpx.Client(base_url="http://x", headers=headers, transport=transport)
    monkeypatch.setattr(made, "_http", http)
    return made


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_account_outlives_a_renewal_that_was_put_off(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, status: int
) -> None:
    file = tmp_path / "tokens.json"
    known = {"client_id": "c", "client_secret": "s", "access_token": "t", "expires_at": 0}
    client.TokenFile(file, "http://x").write("a", known)
    login = _login(monkeypatch, file, httpx.Response(status, text="later"))
    with pytest.raises(client.Failed, match="renew"):
        login.token("a")
    assert client.TokenFile(file, "http://x").read("a") == known
    login.close()


def test_an_account_that_the_server_does_not_know_is_made_anew(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "tokens.json"
    known = {"client_id": "c", "client_secret": "s", "access_token": "t", "expires_at": 0}
    client.TokenFile(file, "http://x").write("a", known)
    login = _login(
        monkeypatch,
        file,
        httpx.Response(401, json={"error": "invalid_client"}),
        httpx.Response(201, json={"client_id": "new", "client_secret": "s"}),
        httpx.Response(200, json={"access_token": "n", "expires_in": 60}),
    )
    assert login.token("a") == "n"
    login.close()
