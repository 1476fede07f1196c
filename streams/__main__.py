"""`python -m streams` is `superfan`."""

from streams.cli import app

if __name__ == "__main__":
    app()
