"""The page of a run: `bench report RUN` writes it, one file that needs nothing else to be read."""
