"""How long a configuration's first and further tokens take, and the memory that it needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from analysis.stats import percentile
from bench.run.observed import Latency
from bench.run.records import ArmKey, LatencyRecord


def latency_of(records: Sequence[LatencyRecord], key: ArmKey) -> dict[str, Any]:
    """The columns of `ArmRow` that an arm's timed tokens fill; the copy of a baseline has none of its own.

    Args:
        records: of the run.
        key: of the arm.
    """
    mine = [record for record in records if (record.backend, record.gate, False) == key]
    requests = [request for record in mine for request in record.requests.values()]
    first_s = [request.first_token_s for request in requests if request.first_token_s is not None]
    token_s = [seconds for request in requests for seconds in request.token_s or ()]
    return {
        "first_token_s": percentile(first_s, 50),
        "token_p50_s": percentile(token_s, 50),
        "token_p95_s": percentile(token_s, 95),
        "token_p99_s": percentile(token_s, 99),
        "timed_tokens": len(token_s),
        "device_peak_bytes": _most(requests, "device_peak_bytes"),
        "process_peak_bytes": _most(requests, "process_peak_bytes"),
    }


def _most(requests: Sequence[Latency], name: str) -> int | None:
    known = [getattr(request, name) for request in requests]
    return max((size for size in known if size is not None), default=None)
