"""The agents: decode, call the core, act on the outcome. No rule, threshold or SQL in here."""
