"""Options that several commands share, and the settings that they choose."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from streams.views.tables import Output

if TYPE_CHECKING:
    from models.store import Store
    from streams.roles import Role
    from streams.settings import Settings

talk = Console(stderr=True, highlight=False)
"""Standard error, for all messages: standard output is for data."""

RUN, SEND, FIND = "Run the stream", "Send records", "Find candidates"
TRY, CHECK = "Try rules and texts", "Check the installation"
"""headings of `superfan --help`"""


class WorkerRole(StrEnum):
    """The roles of a worker, as an option."""

    ENRICH = "enrich"
    PROFILE = "profile"
    SINK = "sink"
    ALL = "all"

    @property
    def roles(self) -> "tuple[Role, ...]":
        """The roles that the option stands for."""
        from streams.roles import Role

        return tuple(Role) if self is WorkerRole.ALL else (Role(self.value),)


class StateName(StrEnum):
    """The states of a candidate, as an option."""

    CANDIDATE = "candidate"
    ACCEPTED = "accepted"
    WATCH = "watch"
    COOLED = "cooled"
    DECLINED = "declined"


Out = Annotated[Output, typer.Option("-o", "--output", help="Format of the data; json is JSON Lines.")]
States = Annotated[
    list[StateName] | None,
    typer.Option("--state", help="Show only this state. Can be repeated.", show_default="all states"),
]


@dataclass(slots=True)
class Chosen:
    """The options of `superfan` itself, which are given before or behind a command."""

    config: Path | None = None
    debug: bool = False


chosen = Chosen()


def settings_path(config: Path | None = None) -> Path:
    """Return the settings file: `config`, else that of `superfan --config`, else a default."""
    from streams.settings import config_path

    return config_path(config or chosen.config)


def configure_logs(level: str = "warning") -> None:
    """Log from this level on, for people; everything with `--debug`."""
    from streams.ops import logs

    logs.configure(logs.Logging(level=level, debug=chosen.debug))


def settings(config: Path | None = None) -> "Settings":
    """Return the settings of a command, and log at their level. Raises `SettingsError`."""
    from streams.settings import load

    loaded = load(settings_path(config))
    configure_logs(loaded.log_level)
    return loaded


def service_settings(role: str, **flags: Any) -> "Settings":
    """Return the settings of a command that runs until it is stopped, and log in the format they name.

    Raises `SettingsError`, which is logged in the service's format, too.
    """
    from streams.ops import logs
    from streams.settings import load

    how = logs.Logging(json=not sys.stderr.isatty(), role=role, debug=chosen.debug)
    logs.configure(how)
    logs.log_crashes()
    loaded = load(settings_path(), **flags)
    secret = loaded.log_secret
    logs.configure(
        how._replace(
            level=loaded.log_level,
            json=how.json if loaded.log_format == "auto" else loaded.log_format == "json",
            secret=how.secret if secret is None else secret.get_secret_value().encode(),
        )
    )
    return loaded


def day_number(text: str, option: str) -> int:
    """Return the day that an option names. Raises a usage error for anything but YYYY-MM-DD."""
    from models.times import day_from_iso

    try:
        return day_from_iso(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a day; write YYYY-MM-DD", param_hint=option) from None


def state_names(states: list[StateName] | None) -> list[str] | None:
    """Return the names of states; null for all of them."""
    return [state.value for state in states] if states else None


def known_brand(name: str | None, settings: "Settings", store: "Store") -> str | None:
    """Return the brand of this name in the settings or the store, in any case. Raises a usage error."""
    if name is None:
        return None
    return _known(name, [*(brand.name for brand in settings.brands), *store.brands()], "--brand")


def known_tiers(names: list[str] | None, settings: "Settings", store: "Store") -> list[str] | None:
    """Return the tiers of these names, in any case; null for all of them. Raises a usage error."""
    from models.tables import TIER_PRESETS

    if not names:
        return None
    stored = sorted({tier for *_, tier in store.census() if tier is not None})
    return [_known(name, [*TIER_PRESETS[settings.tiers.preset], *stored], "--tier") for name in names]


def _known(name: str, known: Iterable[str], option: str) -> str:
    for other in (known := list(dict.fromkeys(known))):
        if other.casefold() == name.casefold():
            return other
    raise typer.BadParameter(f"{name!r} is not one of {', '.join(known)}", param_hint=option)
