"""Text to facts: what a post says, about which brand, and how.

Pure once loaded: the same text gives the same annotation in whatever batch. Knows `models`, but
neither Kafka nor SQL.
"""
