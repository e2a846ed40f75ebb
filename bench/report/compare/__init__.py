"""Runs, or arms of runs, set beside each other."""
