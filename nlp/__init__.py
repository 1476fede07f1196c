"""The text pipeline: language, brands, cues, entities and sentiment of a post. See nlp/README.md.

Deterministic once loaded: a text gets the same annotation in any batch. Imports `models`, but neither Kafka
nor SQL.
"""
