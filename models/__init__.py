"""The records (posts, customers, profiles, candidates), and every decision about them. See README.md.

Pure: nothing in this package reads a clock, draws a random number or knows Kafka, and only
`models.store` knows SQL. Records that travel on topics are msgspec structs, settings are
pydantic models. Everything here may be called from any thread or process.
"""
