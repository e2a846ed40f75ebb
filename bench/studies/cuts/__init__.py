"""One cut of one model: its options, and what it costs in quality."""
