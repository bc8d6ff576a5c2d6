"""The settings of the scripts are those of the checkout, from wherever a script is started."""

from __future__ import annotations

from pathlib import Path

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
