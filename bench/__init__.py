"""The conductor: suite, gates, plan, workers, run, store, command line."""

__version__ = "0.1.0"
