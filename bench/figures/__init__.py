"""The figures of a run, one file each; a figure that is listed in `catalogue.py` is in the page and in `bench plot`."""
