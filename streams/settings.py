"""Settings: `superfan.toml`, then `SUPERFAN_*`, then flags; frozen and checked at start.

Nothing else in the project reads the environment for settings.
"""

import os
import tomllib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

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
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings import (
    SettingsError as SourceError,
)
from sqlalchemy.engine import make_url

from models.brand import Brand, Catalogue
from models.errors import UsageError
from models.post import PLATFORMS
from models.rules import Customers, Retention, Rules, Thresholds, Tiers, Weights

DEMO_CONFIG = Path(__file__).parent / "demo" / "superfan.toml"
_NOT_SETTINGS = {"SUPERFAN_CONFIG", "SUPERFAN_CACHE", "SUPERFAN_TEST_NO_SKIP"}


class SettingsError(UsageError):
    """A setting that is wrong, unknown or missing."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(_Section):
    """One platform that is read. Without a lawful basis nothing of it may be."""

    lawful_basis: str = Field(min_length=3)
    profile_url: str | None = None
    """address of an author with `{handle}` in it; without it no address is given"""

    post_url: str | None = None
    """address of a post with `{id}` in it, its id without the platform, for posts that bring none"""

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
    """How topics are created. Partitions bound how many workers of a role can share the load."""

    partitions: int = Field(default=8, ge=1, le=1000)
    replication: int = Field(default=1, ge=1, le=10)


class DeadLetterSettings(_Section):
    """When a worker stops rather than turn a whole topic into dead letters."""

    max_share: float = Field(default=0.5, gt=0, le=1)
    of_last: int = Field(default=1000, ge=10)


class WorkerSettings(_Section):
    """How a worker runs; seconds unless named otherwise."""

    processes: int = Field(default=1, ge=0, le=64)
    """text pipelines side by side in the enrich role; 0 runs it in the worker's own process"""
    batch: int = Field(default=64, ge=1, le=10_000)
    """posts a text pipeline is given at once"""
    in_flight: int = Field(default=2000, ge=1)
    """records begun and not yet delivered, at most"""
    commit_interval: float = Field(default=1.0, gt=0)
    session_timeout: float = Field(default=30.0, ge=1)
    delivery_timeout: float = Field(default=15.0, ge=1)
    """a record that the broker has not taken by then stops the worker; below the session time-out,
    so that a worker that was paused cannot deliver late"""
    drain_timeout: float = Field(default=20.0, gt=0)
    """how long a stopping worker may take to finish what it began"""

    @model_validator(mode="after")
    def _delivers_within_session(self) -> "WorkerSettings":
        if self.delivery_timeout >= self.session_timeout:
            raise ValueError("delivery_timeout must be below session_timeout")
        return self


class MetricsSettings(_Section):
    """Where a process tells how it is: `/metrics`, `/live`, `/ready`. A port for each process."""

    port: int | None = Field(default=None, ge=1, le=65535)
    """off unless set"""
    host: str = "127.0.0.1"
    every: float = Field(default=10.0, gt=0)
    """seconds from one measurement of `superfan exporter` to the next"""


class ShadowSettings(_Section):
    """A second settings file whose rules judge beside these; only metrics tell of it."""

    config: Path | None = None
    """from the folder of the settings file, unless absolute"""


class Settings(BaseSettings):
    """Everything that can be set. Unknown keys are errors, in the file and in the environment."""

    model_config = SettingsConfigDict(
        env_prefix="SUPERFAN_", env_nested_delimiter="__", frozen=True, extra="forbid"
    )

    broker_url: str = "kafka://127.0.0.1:9092"
    store_url: SecretStr = SecretStr("sqlite:///superfan.db")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "text", "json"] = "auto"
    """of worker and exporter; auto is text on a terminal and JSON elsewhere"""
    log_secret: SecretStr | None = None
    """key of the hash under which authors appear in logs; without one, each process makes its own"""
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
        try:
            url = make_url(secret.get_secret_value())
        except Exception:
            raise ValueError("must be sqlite:///FILE or postgresql+psycopg://USER@HOST/DATABASE") from None
        if url.get_backend_name() not in {"sqlite", "postgresql"}:
            raise ValueError("must be a sqlite or a postgresql address")
        return secret

    @field_validator("sources")
    @classmethod
    def _known_platforms(cls, sources: Mapping[str, Source]) -> Mapping[str, Source]:
        if unknown := sorted(set(sources) - PLATFORMS):
            raise ValueError(f"unknown platform {unknown[0]!r}; known are {', '.join(sorted(PLATFORMS))}")
        return sources

    def shown(self) -> dict[str, Any]:
        """The settings as plain values, secrets hidden: of passwords in the store's address none is shown."""
        from models.store.failures import shown  # noqa: PLC0415 -- brings what only a store needs

        url = make_url(self.store_url.get_secret_value())
        return {**self.model_dump(mode="json"), "store_url": shown(url)}

    @property
    def bootstrap(self) -> list[str]:
        """The broker's addresses, `host:port`."""
        return [s.removeprefix("kafka://") for s in self.broker_url.split(";")]

    @property
    def lawful(self) -> frozenset[str]:
        """Platforms that may be read."""
        return frozenset(self.sources)

    @property
    def rules(self) -> Rules:
        """What the judgement depends on."""
        return Rules(
            brands=self.brands,
            tiers=self.tiers,
            customers=self.customers,
            window=self.window,
            weights=self.weights,
            thresholds=self.thresholds,
            profile_urls={name: s.profile_url for name, s in self.sources.items() if s.profile_url},
            post_urls={name: s.post_url for name, s in self.sources.items() if s.post_url},
        )


def config_path(flag: Path | None, environ: Mapping[str, str] | None = None) -> Path:
    """The settings file in force: the flag's, `SUPERFAN_CONFIG`, `./superfan.toml`, the demo's."""
    named = flag or (environ if environ is not None else os.environ).get("SUPERFAN_CONFIG")
    if named:
        return Path(named)
    here = Path("superfan.toml")
    return here if here.is_file() else DEMO_CONFIG


def load(path: Path, **flags: Any) -> Settings:
    """The settings in force; `flags` win over the environment, that over the file.

    Raises `SettingsError` that names each wrong key and what is allowed.
    """
    try:
        with path.open("rb") as file:
            tomllib.load(file)
    except FileNotFoundError:
        raise SettingsError(
            f"No settings file {path}",
            "it does not exist",
            "create it, or name another with --config or SUPERFAN_CONFIG",
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read", str(error), "mend the TOML at that place") from None
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be read", error.strerror or str(error), "check the path and its permissions"
        ) from None
    _refuse_unknown_environment(os.environ)
    flags = {name: value for name, value in flags.items() if value is not None}

    class Chosen(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            del dotenv_settings, file_secret_settings  # settings come from one file and the environment
            return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=path)

    try:
        chosen = Chosen(**flags)
        _ = chosen.rules  # what is wrong with them is told here, and not when they are first asked for
    except (ValidationError, SourceError) as error:
        raise SettingsError(
            "Wrong settings",
            "; ".join(_complaints(error, partial(_origin, path, flags))),
            "mend each where it is set: a flag stands above SUPERFAN_*, and that above the file",
        ) from None
    if chosen.shadow.config is None:
        return chosen
    beside = chosen.shadow.model_copy(update={"config": path.parent / chosen.shadow.config})
    return chosen.model_copy(update={"shadow": beside})


def _complaints(
    error: ValidationError | SourceError, origin: Callable[[tuple[int | str, ...]], str]
) -> list[str]:
    """Each wrong key, where it was set, and what is wrong; of lists the members are counted from 1."""
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


def _origin(path: Path, flags: Mapping[str, Any], place: tuple[int | str, ...]) -> str:
    """Where the value at this place comes from: the flag, the variable or the file that stands highest."""
    if place and place[0] in flags:
        return "a flag"
    for end in range(len(place), 0, -1):
        name = f"SUPERFAN_{'__'.join(map(str, place[:end])).upper()}"
        if name in os.environ:
            return name
    return str(path)


def _siblings(place: tuple[int | str, ...]) -> list[str]:
    """The keys that are allowed beside a wrong one."""
    sections: dict[str, type[BaseModel]] = {
        "brands": Brand,
        "tiers": Tiers,
        "customers": Customers,
        "window": Retention,
        "weights": Weights,
        "thresholds": Thresholds,
        "sources": Source,
        "topics": TopicSettings,
        "worker": WorkerSettings,
        "dead_letters": DeadLetterSettings,
        "metrics": MetricsSettings,
        "shadow": ShadowSettings,
    }
    section = sections.get(str(place[0]), Settings) if len(place) > 1 else Settings
    return list(section.model_fields)


def _refuse_unknown_environment(environ: Mapping[str, str]) -> None:
    """A misspelt variable would be ignored in silence: refuse it."""
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
    host, colon, port = text.removeprefix("kafka://").rpartition(":")
    return bool(host and colon and port.isdigit() and 0 < int(port) < 65536)
