"""Where things live that belong to this user of this machine, and can be made or fetched again."""

from __future__ import annotations

import os
from pathlib import Path


def user_cache() -> Path:
    """JOULEBENCH_CACHE, else a folder in the user's cache."""
    chosen = os.environ.get("JOULEBENCH_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(chosen) if chosen else Path(base) / "joulebench"
