"""How to generate, and what to leave out. No clock, no energy, no files but weights."""
