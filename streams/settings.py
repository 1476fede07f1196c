"""Settings: `superfan.toml`, then `SUPERFAN_*`, then flags; frozen and checked at start.

Nothing else in the project reads the environment for settings.
"""

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal, cast, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import (
    SettingsError as SourceError,
)

from models.brand import Catalogue
from models.errors import UsageError
from models.post import PLATFORMS
from models.rules import Customers, Retention, Rules, Thresholds, Tiers, Weights

DEMO_CONFIG = Path(__file__).parent / "demo" / "superfan.toml"
_STORE_URL = re.compile(
    r"""
    (?P<database>\w+)(\+\w+)?://
    ([^:/]*(:[^@]*)?@)?            # user and password
    (\[[^/?]+\]|[^:/?]*)(:\d+)?    # host and port
    ([/?].*)?
    """,
    re.VERBOSE | re.DOTALL,
)
"""As SQLAlchemy reads an address. Its own `make_url` would load 20 MiB into roles that have no store."""
_NOT_SETTINGS = {"SUPERFAN_CONFIG", "SUPERFAN_CACHE"}


class SettingsError(UsageError):
    """A wrong, unknown or missing setting."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(_Section):
    """One platform that may be read. A platform without a lawful basis is not read."""

    lawful_basis: str = Field(min_length=3)
    profile_url: str | None = None
    """address of an author's page, with `{handle}` in it"""

    post_url: str | None = None
    """address of posts that come without one, with `{id}` in it: the post's id without the platform"""

    @field_validator("profile_url", "post_url")
    @classmethod
    def _one_field(cls, url: str | None, info: ValidationInfo) -> str | None:
        field = "handle" if info.field_name == "profile_url" else "id"
        if url is not None:
            try:
                url.format(**{field: "x"})
            except (KeyError, IndexError, ValueError) as error:
                raise ValueError(f"may hold `{{{field}}}` and no other field") from error
        return url


class TopicSettings(_Section):
    """Partitions and replicas of new topics. At most one worker of a role per partition has work."""

    partitions: int = Field(default=8, ge=1, le=1000)
    replication: int = Field(default=1, ge=1, le=10)


class DeadLetterSettings(_Section):
    """The share of dead letters among the last records at which a worker stops."""

    max_share: float = Field(default=0.5, gt=0, le=1)
    of_last: int = Field(default=1000, ge=10)


class WorkerSettings(_Section):
    """Limits of a worker, in seconds unless named otherwise."""

    processes: int = Field(default=1, ge=0, le=64)
    """concurrent text pipelines of the enrich role; 0 runs one in the worker's own process"""
    batch: int = Field(default=64, ge=1, le=10_000)
    """posts in one call of a text pipeline"""
    in_flight: int = Field(default=2000, ge=1)
    """most records that are begun and not yet delivered"""
    commit_interval: float = Field(default=1.0, gt=0)
    session_timeout: float = Field(default=30.0, ge=1)
    delivery_timeout: float = Field(default=15.0, ge=1)
    """longest wait for the broker to take a record, then the worker stops. It is below the session
    time-out, so that a paused worker cannot deliver late."""
    drain_timeout: float = Field(default=20.0, gt=0)
    """longest time for a stopping worker to finish the records it began"""

    @model_validator(mode="after")
    def _delivers_within_session(self) -> "WorkerSettings":
        if self.delivery_timeout >= self.session_timeout:
            raise ValueError("delivery_timeout must be below session_timeout")
        return self


class MetricsSettings(_Section):
    """Address of `/metrics`, `/live` and `/ready`. Each process needs a port of its own."""

    port: int | None = Field(default=None, ge=1, le=65535)
    """null serves nothing"""
    host: str = "127.0.0.1"
    every: float = Field(default=10.0, gt=0)
    """seconds between two measurements of `superfan exporter`"""


class ShadowSettings(_Section):
    """A second settings file, whose judgements appear in metrics only."""

    config: Path | None = None
    """relative to the folder of the settings file, unless absolute"""


class Settings(BaseSettings):
    """All settings. Unknown keys are errors, in the file and in the environment."""

    model_config = SettingsConfigDict(
        env_prefix="SUPERFAN_", env_nested_delimiter="__", frozen=True, extra="forbid"
    )

    broker_url: str = "kafka://127.0.0.1:9092"
    store_url: SecretStr = SecretStr("sqlite:///superfan.db")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "text", "json"] = "auto"
    """format of worker and exporter; `auto` is text on a terminal and JSON elsewhere"""
    log_secret: SecretStr | None = None
    """key of the hash that replaces authors in logs; without one, each process makes its own"""
    brands: Catalogue
    tiers: Tiers = Tiers()
    customers: Customers = Customers()
    window: Retention = Retention()
    weights: Weights = Weights()
    thresholds: Thresholds = Thresholds()
    sources: Mapping[str, Source] = Field(min_length=1)
    topics: TopicSettings = TopicSettings()
    worker: WorkerSettings = WorkerSettings()
    dead_letters: DeadLetterSettings = DeadLetterSettings()
    metrics: MetricsSettings = MetricsSettings()
    shadow: ShadowSettings = ShadowSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: flags, `SUPERFAN_*`, and the file's values, which `load` passes as `file`."""
        del dotenv_settings, file_secret_settings
        given = dict(cast(InitSettingsSource, init_settings).init_kwargs)
        file = given.pop("file", {})
        return InitSettingsSource(settings_cls, given), env_settings, InitSettingsSource(settings_cls, file)

    @field_validator("broker_url")
    @classmethod
    def _kafka(cls, url: str) -> str:
        servers = url.removeprefix("kafka://").split(";")
        if not url.startswith("kafka://") or not all(_is_server(server) for server in servers):
            raise ValueError("must look like kafka://HOST:PORT, several separated by `;`")
        return url

    @field_validator("store_url")
    @classmethod
    def _known_store(cls, secret: SecretStr) -> SecretStr:
        url = _STORE_URL.fullmatch(secret.get_secret_value())
        if url is None:
            raise ValueError("must be sqlite:///FILE or postgresql+psycopg://USER@HOST/DATABASE")
        if url["database"] not in {"sqlite", "postgresql"}:
            raise ValueError("must be a sqlite or a postgresql address")
        return secret

    @field_validator("sources")
    @classmethod
    def _known_platforms(cls, sources: Mapping[str, Source]) -> Mapping[str, Source]:
        if unknown := sorted(set(sources) - PLATFORMS):
            raise ValueError(f"unknown platform {unknown[0]!r}; known are {', '.join(sorted(PLATFORMS))}")
        return sources

    def shown(self) -> dict[str, Any]:
        """Return the settings as plain values, without secrets and without passwords in addresses."""
        from sqlalchemy.engine import make_url  # noqa: PLC0415 -- only a store needs it

        from models.store.failures import shown  # noqa: PLC0415

        url = make_url(self.store_url.get_secret_value())
        return {**self.model_dump(mode="json"), "store_url": shown(url)}

    @property
    def bootstrap(self) -> list[str]:
        """The broker's addresses, `host:port`."""
        return [s.removeprefix("kafka://") for s in self.broker_url.split(";")]

    @property
    def lawful(self) -> frozenset[str]:
        """The platforms that may be read."""
        return frozenset(self.sources)

    @property
    def rules(self) -> Rules:
        """The settings that a judgement depends on."""
        sections = Rules.model_fields.keys() & type(self).model_fields.keys()
        return Rules(
            **{name: getattr(self, name) for name in sections},
            profile_urls={name: s.profile_url for name, s in self.sources.items() if s.profile_url},
            post_urls={name: s.post_url for name, s in self.sources.items() if s.post_url},
        )

    def counting_differences(self, other: "Settings") -> tuple[str, ...]:
        """Return the sections that make these and other settings count different posts."""
        differ = {
            "brands": self.brands != other.brands,
            "sources": self.lawful != other.lawful,
            "window": self.window.keep_days != other.window.keep_days,
        }
        return tuple(name for name, holds in differ.items() if holds)

    def reads_like(self, other: "Settings") -> bool:
        """Return whether these and other settings find the same in every post."""
        return not {"brands", "sources"} & set(self.counting_differences(other))


def config_path(flag: Path | None) -> Path:
    """Return the settings file to use: the flag's, `SUPERFAN_CONFIG`, `./superfan.toml`, the demo's."""
    named = flag or os.environ.get("SUPERFAN_CONFIG")
    if named:
        return Path(named)
    here = Path("superfan.toml")
    return here if here.is_file() else DEMO_CONFIG


def load(path: Path, **flags: Any) -> Settings:
    """Return the settings: `flags` win over the environment, and that over the file.

    Raises `SettingsError`, which names each wrong key, where it is set, and the keys or values allowed.
    """
    values = _read(path)
    _refuse_unknown_environment(os.environ)
    flags = {name: value for name, value in flags.items() if value is not None}
    try:
        settings = Settings(**{"file": values, **flags})
        _ = settings.rules  # built here so that wrong ones are reported with the settings
    except (ValidationError, SourceError) as error:
        raise SettingsError(
            "Wrong settings",
            "; ".join(_complaints(error, partial(_origin, path, flags))),
            "correct each where it is set; a flag overrides SUPERFAN_*, which overrides the file",
        ) from None
    if settings.shadow.config is None:
        return settings
    shadow = settings.shadow.model_copy(update={"config": path.parent / settings.shadow.config})
    return settings.model_copy(update={"shadow": shadow})


def _read(path: Path) -> dict[str, Any]:
    """Return the tables of a settings file. Raises `SettingsError`."""
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        raise SettingsError(
            f"No settings file {path}",
            "it does not exist",
            "create it, or name another with --config or SUPERFAN_CONFIG",
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read", str(error), "correct the TOML there") from None
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be read", error.strerror or str(error), "check the path and its permissions"
        ) from None


def _complaints(
    error: ValidationError | SourceError, origin: Callable[[tuple[int | str, ...]], str]
) -> list[str]:
    """Return a sentence for each wrong key: the key, its source, the error. Members of lists count from 1."""
    if isinstance(error, SourceError):
        return [str(error)]
    return [
        f"{'.'.join(f'#{part + 1}' if isinstance(part, int) else part for part in e['loc']) or 'settings'} "
        f"({origin(e['loc'])}): "
        + (
            f"unknown key; known are {', '.join(_siblings(e['loc']))}"
            if e["type"] == "extra_forbidden"
            else e["msg"].removeprefix("Value error, ")
        )
        for e in error.errors(include_url=False, include_input=False)
    ]


def _origin(path: Path, flags: Mapping[str, Any], key: tuple[int | str, ...]) -> str:
    """Return the source of a key's value: the flag, the variable or the file that overrides the others."""
    if key and key[0] in flags:
        return "a flag"
    for end in range(len(key), 0, -1):
        name = f"SUPERFAN_{'__'.join(map(str, key[:end])).upper()}"
        if name in os.environ:
            return name
    return str(path)


def _siblings(key: tuple[int | str, ...]) -> list[str]:
    """Return the keys that are allowed in the section of a wrong one."""
    section: type[BaseModel] = Settings
    for part in key[:-1]:
        field = section.model_fields.get(str(part))
        section = section if field is None else _section(field.annotation) or section
    return list(section.model_fields)


def _section(annotation: Any) -> type[BaseModel] | None:
    """Return the model in a field's type: its own, or that of the members of a list or table."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for member in get_args(annotation) if (found := _section(member))), None)


def _refuse_unknown_environment(environ: Mapping[str, str]) -> None:
    """Raise `SettingsError` for a misspelt variable, which would have no effect and no message."""
    for name in environ:
        if not name.startswith("SUPERFAN_") or name in _NOT_SETTINGS:
            continue
        key = name.removeprefix("SUPERFAN_").split("__")[0].lower()
        if key not in Settings.model_fields:
            known = ", ".join(f"SUPERFAN_{field.upper()}" for field in Settings.model_fields)
            raise SettingsError(
                f"Unknown setting {name}", "no setting has this name", f"unset it, or use one of {known}"
            )


def _is_server(text: str) -> bool:
    """Return whether a text is HOST:PORT."""
    host, colon, port = text.removeprefix("kafka://").rpartition(":")
    return bool(host and colon and port.isdigit() and 0 < int(port) < 65536)
