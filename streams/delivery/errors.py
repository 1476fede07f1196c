"""Errors that stop a role."""

from aiokafka.errors import (
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
)

from models.errors import SuperfanError

_REFUSALS = (InvalidTopicError, MessageSizeTooLargeError, TopicAuthorizationFailedError)
"""Permanent errors: the broker would answer a retry in the same way."""


class DeliveryError(Exception):
    """A record could not be delivered; the worker must stop and start again from its commits.

    `transient` is False when the broker refused the record rather than being away.
    """

    def __init__(self, topic: str, error: BaseException) -> None:
        cause = error.__cause__ or error
        advice = ""
        if isinstance(cause, TopicAuthorizationFailedError):
            advice = f"; grant this user WRITE on topic {topic}"
        super().__init__(f"a record for {topic} could not be delivered: {error!r}{advice}")
        self.transient = not isinstance(cause, _REFUSALS)


class Fenced(Exception):
    """The group may have removed this worker: another one may own its partitions now."""


class RoleEnded(Exception):
    """A task that a role cannot work without has ended, although nobody stopped the worker."""

    def __init__(self, task: str, how: str) -> None:
        super().__init__(f"{task} {how}")


class ReadDenied(SuperfanError):
    """The broker refuses to hand out the records of a topic."""

    def __init__(self, topic: str, group: str) -> None:
        super().__init__(
            f"The broker refuses to let this worker read topic {topic}",
            "the user it connects as has no READ on it",
            f"grant that user READ and DESCRIBE on topic {topic}, and READ on group {group}; "
            "then start the worker again: nothing is lost",
        )


class LogReplaced(SuperfanError):
    """The log of a topic is not the one that the commits or states of a role are about."""

    def __init__(self, role: str, topic: str, why: str) -> None:
        super().__init__(
            f"Topic {topic} was made anew, or lost records: role {role} cannot go on where it stopped",
            why,
            f"stop all workers of role {role}, run `superfan topics accept {topic}`, which lets them read "
            "the topic from its new beginning, and start them again",
        )


def broker_lost(error: BaseException) -> bool:
    """Return True when a role failed because its broker was away: it may run again when that is back."""
    if isinstance(error, DeliveryError):
        return error.transient
    return isinstance(error, KafkaError | Fenced) and not isinstance(error, _REFUSALS)
