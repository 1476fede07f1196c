"""What a person reads on standard error while something runs."""

import logging
import sys

_NOISY = ("faust", "mode", "aiokafka", "asyncio", "alembic", "sqlalchemy")
_PASSING = ("Group Coordinator Request failed", "Heartbeat failed", "Topic ")


def configure(level: str) -> None:
    """Log to standard error; libraries only from warnings on, and not what passes by itself."""
    stream = logging.StreamHandler(sys.stderr)
    stream.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"))
    stream.addFilter(_says_something)
    logging.basicConfig(level=level.upper(), handlers=[stream], force=True)
    if level != "debug":
        for name in _NOISY:
            logging.getLogger(name).setLevel(logging.WARNING)
        # It logs what it also raises, and warns of its own loop and of group metadata not in its format.
        logging.getLogger("kafka").setLevel(logging.CRITICAL)


def _says_something(record: logging.LogRecord) -> bool:
    """A group's coordinator is being elected, metadata is being fetched: nothing to act on."""
    return not (record.name.startswith("aiokafka") and record.getMessage().startswith(_PASSING))
