"""The figures of a run, one file each; those in `catalogue.py` are in the page and in `bench plot`."""
