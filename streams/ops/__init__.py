"""Show operators how a process is doing: metrics, logs, probes, health checks."""
