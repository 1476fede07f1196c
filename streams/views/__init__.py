"""Render records for people: board, card, comparison, report."""
