"""Settings: which values are accepted."""

import pytest
from sqlalchemy.engine import make_url

from streams.settings import DEMO_CONFIG, SettingsError, load

ACCEPTED = (
    "sqlite:///superfan.db",
    "sqlite:////var/lib/superfan.db",
    "sqlite://",
    "sqlite+pysqlite:///a b.db",
    "postgresql://h/d",
    "postgresql+psycopg://u@h/d",
    "postgresql+psycopg://u:p%40#/?:w@h:5432/d?sslmode=require",
    "postgresql+psycopg://u:p@[::1]:5432/d",
    "postgresql+psycopg:///d?host=/run/postgresql",
)
REFUSED = ("superfan.db", "sqlite:/a.db", "postgresql://h:port/d", "mysql://h/d", "postgres://h/d", "")


@pytest.mark.parametrize("address", ACCEPTED)
def test_a_store_address_that_sqlalchemy_accepts_is_accepted(address: str) -> None:
    """The check of the settings agrees with SQLAlchemy, which it does not load."""
    assert make_url(address).get_backend_name() in {"sqlite", "postgresql"}
    assert load(DEMO_CONFIG, store_url=address).store_url.get_secret_value() == address


@pytest.mark.parametrize("address", REFUSED)
def test_any_other_store_address_is_refused(address: str) -> None:
    """The error names the setting and the allowed forms."""
    with pytest.raises(SettingsError, match=r"store_url.*sqlite"):
        load(DEMO_CONFIG, store_url=address)
