"""What an operator writes about the network of bots is understood, or named in one line."""

from pathlib import Path
from typing import Any

import pytest

from mcp_multiplayer import multiplayer_server
from mcp_multiplayer.config import BadSetting, Settings
from mcp_multiplayer.sandbox.host.pool import Pool


def settings(**values: Any) -> Settings:
    return Settings.model_construct(**values)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"bot_egress": "everything everywhere"}, "BOT_EGRESS: 'everything everywhere' is neither"),
        ({"bot_egress": "none,public"}, "BOT_EGRESS: write none, or public, or hosts"),
        ({"bot_egress": "a.example:https"}, "BOT_EGRESS: 'https' is not a port"),
        ({"bot_egress_ports": "80 443"}, "BOT_EGRESS_PORTS: '80 443' is not a port"),
        ({"bot_egress_resolve": "a.example=1"}, "BOT_EGRESS_RESOLVE: 'a.example=1' is not of the"),
        (
            {"bot_egress_ca_file": "/missing.pem"},
            "BOT_EGRESS_CA_FILE=/missing.pem: no",
        ),
    ],
)
def test_a_setting_that_cannot_be_read_is_named_in_one_line(
    values: dict[str, str], words: str
) -> None:
    with pytest.raises(BadSetting, match=r"See \.env\.example\.$") as named:
        multiplayer_server.broker(settings(**values))
    assert str(named.value).startswith(words) and "\n" not in str(named.value)


def test_the_defaults_are_the_public_internet_on_the_usual_ports() -> None:
    made = multiplayer_server.broker(settings())
    egress = made.dialer.egress
    assert egress.everywhere and egress.ports == {80, 443}
    assert (made.limits.response, made.limits.workspace) == (256 << 10, 100 << 20)
    made.close()


def test_a_list_of_the_operators_own_is_read(tmp_path: Path) -> None:
    listed = "api.example.com:443, 10.0.0.0/8, [2001:db8::1]:8443,plain.example"
    resolve = "a.example:443=127.0.0.1:9443,b.example:80=[::1]:9080"
    made = multiplayer_server.broker(settings(bot_egress=listed, bot_egress_resolve=resolve))
    egress = made.dialer.egress
    assert egress.names == {("api.example.com", 443), ("plain.example", None)}
    assert [str(network) for network, _ in egress.networks] == ["10.0.0.0/8", "2001:db8::1/128"]
    assert {name for name, _ in egress.instead} == {"a.example", "b.example"}
    made.close()


async def test_health_check_shows_the_limits_and_not_the_operators_list() -> None:
    pool = Pool(broker=multiplayer_server.broker(settings(bot_egress="db.internal:5432")))
    shown = multiplayer_server.status(settings(bot_egress="db.internal:5432"), pool).limits
    assert (shown["bot_egress"], shown["bot_response_kb"]) == ("a list", 256)
    assert (shown["bot_egress_ports"], shown["bot_workspace_mb"]) == ("80,443", 100)
    await pool.close()
