"""Everything that moves: the worker, its agents, the broker, the commands.

The only package that knows Faust and Kafka. Rules and thresholds live in `models`, text in `nlp`.
"""
