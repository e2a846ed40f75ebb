"""The commands: options in, a part of the program called, its answer shown."""
