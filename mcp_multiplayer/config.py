"""Every environment variable the product reads, typed, with its default.

`.env.example` explains each one to the operator; nothing else in the product reads the
environment. A name that is nearly a setting's stops the start: a misspelt ACCESS_PASSCODE would
open the server to everybody.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from dotenv.parser import parse_stream
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from mcp_multiplayer import addresses

#: The release; `pyproject.toml` says the same (a test holds them together).
VERSION = "0.1.0"

#: Names under which a browser or program on this very machine may call us.
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")

ENV_FILE = ".env"
#: What else stands in the same file: docker-compose.yml reads it, and so does Docker Compose.
BESIDE = ("FRONT_NET",)
_COMPOSE = "COMPOSE_"
#: How much of two names must agree (`difflib`) for one to be the other, misspelt.
_NEAR = 0.8


def bots_dir() -> Path:
    """Where the presets lie as text: inside an installed package, beside it in a checkout."""
    package = Path(__file__).resolve().parent
    return next(d for d in (package / "bots", package.parent / "bots") if d.is_dir())


class BadSetting(Exception):
    """A variable has a value that cannot be used; the text names it and the remedy."""


class Settings(BaseSettings):
    """One immutable value, read once at start and handed to whoever needs it."""

    model_config = SettingsConfigDict(
        env_file=ENV_FILE,
        env_file_encoding="utf-8-sig",
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
    )

    # Addresses
    public_url: str = ""
    domain: str = "localhost"
    use_ssl: bool = False
    ssl_cert_path: str = ""
    ssl_key_path: str = ""
    proxy_host: str = "127.0.0.1"
    proxy_port: int = Field(8100, ge=1, le=65535)
    mcp_host: str = "127.0.0.1"
    mcp_port: int = Field(8201, ge=1, le=65535)
    trusted_proxies: str = ""

    # Data
    data_dir: Path = Path("data")
    database_url: str = ""

    # Who may enter
    access_passcode: str = ""
    claude_auto_token: bool = False
    access_token_seconds: int = Field(3600, ge=60, le=86_400)
    refresh_days: int = Field(90, ge=1, le=400)
    client_id_metadata_documents: bool = True
    operator_contact: str = ""
    openai_apps_challenge: str = ""

    # Pages
    web: Literal["on", "off"] = "on"
    listed_rooms: Literal["on", "off"] = "on"
    max_watchers: int = Field(2000, ge=0)
    max_watchers_per_address: int = Field(50, ge=0)
    max_streams_per_account: int = Field(8, ge=1)
    privacy_file: str = ""
    terms_file: str = ""

    # Bots
    inline_bots: Literal["all", "off"] = "all"
    bot_hook_seconds: float = Field(5.0, gt=0, le=60)
    bot_hook_fuel: int = Field(800_000, ge=1000)
    bot_workspace_mb: int = Field(100, ge=0)
    bot_hooks_per_minute: int = Field(120, ge=1)
    bot_egress: str = "public"
    bot_egress_ports: str = "80,443"
    bot_response_kb: int = Field(256, ge=1, le=4096)
    bot_egress_resolve: str = ""
    bot_egress_ca_file: str = ""
    bot_isolation: Literal["auto", "strict", "unsafe"] = "auto"

    # Limits
    rate_limit: float = Field(20.0, ge=0)
    max_body_kb: int = Field(16, ge=1, le=48)
    max_source_kb: int = Field(48, ge=1)
    max_output_kb: int = Field(48, ge=1, le=48)
    max_state_kb: int = Field(256, ge=1)
    max_seats: int = Field(32, ge=1, le=1000)
    max_channels_per_account: int = Field(50, ge=1)
    max_channel_mb: int = Field(64, ge=1)
    invite_days: int = Field(7, ge=1)
    reveal_days: int = Field(7, ge=1)
    open_seconds: int = Field(600, ge=10)
    channel_idle_days: int = Field(30, ge=1)

    # The house
    house_players: int = Field(8, ge=0, le=100)

    # Other
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    @field_validator("public_url")
    @classmethod
    def _origin(cls, value: str) -> str:
        try:
            return value and addresses.origin(value)
        except ValueError:
            raise ValueError(
                "must be an origin such as https://mp.example, without path, query or user"
            ) from None

    @field_validator("domain")
    @classmethod
    def _host(cls, value: str) -> str:
        try:
            return addresses.host(
                f"[{value}]" if value.count(":") > 1 and "[" not in value else value
            )
        except ValueError:
            raise ValueError(
                "must be a name such as mp.example alone; a whole address is PUBLIC_URL"
            ) from None

    @field_validator("proxy_host", "mcp_host")
    @classmethod
    def _listening(cls, value: str) -> str:
        """Bare, as sockets take it: an IPv6 address without brackets."""
        value = value.strip().removeprefix("[").removesuffix("]")
        try:
            return addresses.host(f"[{value}]" if ":" in value else value).strip("[]")
        except ValueError:
            raise ValueError(
                "must be an address or name of this machine, such as 127.0.0.1"
            ) from None

    def base_url(self, host: str = "") -> str:
        """The address others use: issuer, audience and head of every link, no trailing slash.

        ``host`` is the request's Host header. It counts only when nothing public is
        configured and it is one of this machine's own names; then the caller's
        spelling is used throughout, so that what it compares is equal.
        """
        if self.public_url:
            return self.public_url
        scheme = "https" if self.use_ssl else "http"
        name = self.domain
        host = host.lower()
        asked = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        if self.on_loopback and asked in LOOPBACK:
            name = asked
        default = 443 if self.use_ssl else 80
        port = "" if self.proxy_port == default else f":{self.proxy_port}"
        return f"{scheme}://{name}{port}"

    @property
    def on_loopback(self) -> bool:
        """True when only programs on this machine can follow our links."""
        return not self.public_url and self.domain in LOOPBACK

    @property
    def unencrypted(self) -> bool:
        """True when tokens travel in clear over a network that is not this machine's own."""
        url = urlsplit(self.base_url())
        return url.scheme == "http" and url.netloc.removesuffix(f":{url.port}") not in LOOPBACK

    def is_own(self, origin: str) -> bool:
        """Whether a page of ``origin``, an Origin header, is one of ours."""
        try:
            return addresses.origin(origin) in self.issuers
        except ValueError:  # "null" among them: a page that hides what it is
            return False

    @property
    def issuers(self) -> tuple[str, ...]:
        """Every spelling of our own address: a token of one is good for the others."""
        if self.on_loopback:
            return tuple(self.base_url(name) for name in LOOPBACK)
        return (self.base_url(),)

    @property
    def keys_dir(self) -> Path:
        return self.data_dir / "keys"

    @property
    def heads_file(self) -> Path:
        """The record of signed heads: beside the database, never restored with it."""
        return self.data_dir / "signed-heads"


def load() -> Settings:
    """Read `.env` and the environment, or raise `BadSetting` with one line per fault."""
    read_names(Path(ENV_FILE), NAMES)
    try:
        return Settings()  # type: ignore[call-arg]
    except ValidationError as error:
        lines = [
            f"{'_'.join(map(str, fault['loc'])).upper()}={fault.get('input')!r}: "
            f"{_plain(fault['msg'])}"
            for fault in error.errors()
        ]
        raise BadSetting("; ".join(lines) + ". See .env.example.") from None


def _plain(complaint: str) -> str:
    """A library's words for a bad value as an operator reads them."""
    complaint = complaint.removeprefix("Value error, ").partition(", unable to")[0]
    return complaint.replace("Input should be", "must be")


NAMES = frozenset({*(name.upper() for name in Settings.model_fields), *BESIDE})


def read_names(path: Path, known: Collection[str]) -> list[str]:
    """Return the names in an env file that are not ``known``, or raise `BadSetting` when something
    in it would be passed over in silence: a line that is no NAME=value, a name that stands there
    twice, one that is nearly a known one."""
    if not path.is_file():
        return []
    names: dict[str, int] = {}
    faults = []
    with path.open(encoding="utf-8-sig") as file:
        for line in parse_stream(file):
            where = f"{path}, line {line.original.line}"
            name = (line.key or "").upper()
            if line.error or (name and line.value is None):
                faults.append(f"{where}: {line.original.string.strip()[:40]!r} is no NAME=value")
            elif name in names:
                faults.append(f"{where}: {name} stands there twice; keep one of them")
            elif name:
                names[name] = line.original.line
    strange = [name for name in names if name not in known and not name.startswith(_COMPOSE)]
    for name in strange:
        if meant := near(name, known):
            faults.append(
                f"{path}, line {names[name]}: {name} is no setting; did you mean {meant}?"
            )
    if faults:
        raise BadSetting("; ".join(faults))
    return strange


def near(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that ``name`` is nearly, if there is one."""
    bare = {re.sub(r"[^A-Z0-9]", "", one): one for one in known}
    found = bare.get(re.sub(r"[^A-Z0-9]", "", name.upper()))
    return found or next(iter(difflib.get_close_matches(name, list(known), 1, _NEAR)), None)


def doubts() -> list[str]:
    """Return what an operator should hear of the names in `.env` and the environment: one line
    about those in the file that nothing reads, one about each in the environment that is nearly a
    setting's. (There it stops nothing: an environment has names of everybody.)"""
    lines = []
    if strange := read_names(Path(ENV_FILE), NAMES):
        lines.append(f"{ENV_FILE} has names that nothing here reads: {', '.join(strange)}")
    for name in sorted(os.environ):
        if name.upper() not in NAMES and (meant := near(name.upper(), NAMES)):
            lines.append(f"{name} in the environment is no setting; did you mean {meant}?")
    return lines
