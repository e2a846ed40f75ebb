"""Do the files of a model's folder lie in it? A link could lead to a file that nobody meant to be read."""

from __future__ import annotations

from pathlib import Path


def links_out(folder: Path) -> list[str]:
    """Names of links in a folder that lead out of it, sorted.

    A snapshot of the hub's cache holds links to the blobs of its own repository, which are fine.
    """
    home = folder.resolve()
    homes = [home, home.parents[1] / "blobs"] if home.parent.name == "snapshots" else [home]
    return sorted(
        file.name
        for file in home.iterdir()
        if file.is_symlink() and not any(file.resolve().is_relative_to(place) for place in homes)
    )
