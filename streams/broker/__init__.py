"""Use Kafka outside the stream: administration, feeding, reading, lag, and an embedded broker."""
