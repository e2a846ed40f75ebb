"""A stand-in that runs no model. `load` is the entry point."""
