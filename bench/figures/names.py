"""The figures of a run by name, in the order in which they tell its story, and the module of each."""

NAMES = {
    "power": "bench.figures.power",
    "joules-per-token": "bench.figures.joules_per_token",
    "savings": "bench.figures.savings",
    "where": "bench.figures.where",
    "quality": "bench.figures.quality",
    "drift": "bench.figures.drift",
    "thermal": "bench.figures.thermal",
    "routing": "bench.figures.routing",
    "roofline": "bench.figures.roofline",
}
