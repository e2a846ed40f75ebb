"""A stored run, read back and judged: readings to joules, rows, verdicts, tables."""
