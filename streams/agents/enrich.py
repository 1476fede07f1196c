"""mentions, comments, hashtags -> enriched. Stateless; the text work happens in child processes."""

from models.rejection import Dropped, Rejected
from nlp.records import Raw
from streams import topics
from streams.agents.annotators import Annotators
from streams.agents.dead_letters import DeadLetters
from streams.delivery import BatchStep, Work
from streams.ops import meters


def enrich_step(annotators: Annotators, dead_letters: DeadLetters) -> BatchStep:
    """Return the step that enriches a batch of posts."""

    async def step(batch: list[Work]) -> None:
        results = await annotators.enrich([Raw(work.value, work.timestamp_ms) for work in batch])
        meters.enriched((work.tp.topic for work in batch), results)
        for work, result in zip(batch, results, strict=True):
            if isinstance(result, Rejected):
                dead_letters.reject(work, result)
                continue
            dead_letters.accept()
            if not isinstance(result, Dropped):
                work.send(topics.ENRICHED, result.author.encode(), result.value)

    return step
