"""The base of every error that a person reads."""


class SuperfanError(Exception):
    """An error with its cause and its fix: three short sentences without a full stop."""

    def __init__(self, what: str, why: str, fix: str) -> None:
        super().__init__(f"{what}: {why}. {fix[:1].upper()}{fix[1:]}.")
        self.what = what
        self.why = why
        self.fix = fix


class Unavailable(SuperfanError):
    """A broker or store is away, full or busy: the same call may succeed later."""


class UsageError(SuperfanError):
    """A wrong request: nothing was started, and the command exits with 2."""
