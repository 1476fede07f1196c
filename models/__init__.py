"""What a post, a customer, a profile and a candidate are, and what may be decided about them.

Pure: nothing in this package reads a clock, draws a random number or knows Kafka, and only
`models.store` knows SQL. Records that travel on topics are msgspec structs, settings are
pydantic models. Everything here may be called from any thread or process.
"""
