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
    """Whether there is anything to act on, and it was not said a moment ago.

    That a group's coordinator is being elected passes by itself. That the broker is away the
    Kafka client would say many times a second.
    """
    if not record.name.startswith("aiokafka"):
        return True
    said = str(record.msg)
    if said.startswith(_PASSING):
        return False
    before = _said_at.get(said)
    if before is not None and record.created - before < REPEAT_SECONDS:
        return False
    _said_at[said] = record.created
    return True


REPEAT_SECONDS = 30.0
_said_at: dict[str, float] = {}
