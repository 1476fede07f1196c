"""Tests of what ops runs, under deploy/: by the tools that will read it, without a cluster."""
