"""Stored runs for other programs: one in a documented shape, or thousands in one file."""
