"""The worker of one rank: any other, that can say how long a barrier takes.

    python -P -m bench.lifeline LIFELINE bench.run.ranks.worker BACKEND CHANNEL

`MLX_RANK` and `MLX_HOSTFILE` say which rank it is, as `mlx.launch` sets them.
"""

from __future__ import annotations

import time
from itertools import pairwise

from bench.run.ranks.messages import BarriersTimed, TimeBarriers
from bench.run.workers.worker import Commands, Worker, serve


class RankWorker(Worker):
    """A worker whose models are synchronised by a barrier of all ranks."""

    def time_barriers(self, message: TimeBarriers) -> BarriersTimed:
        """Pass barriers: with nothing running, that is all that synchronising takes."""
        model = next(iter(self.models.values()))
        model.synchronize()
        stamps_s = [time.perf_counter()]
        for _ in range(message.count):
            model.synchronize()
            stamps_s.append(time.perf_counter())
        return BarriersTimed(longest_s=max(late - early for early, late in pairwise(stamps_s)))

    def commands(self) -> Commands:
        """What can be asked."""
        return super().commands() | {TimeBarriers: self.time_barriers}


if __name__ == "__main__":
    serve(RankWorker)
