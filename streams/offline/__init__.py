"""Run the core without a broker: backtest, annotate, tune."""
