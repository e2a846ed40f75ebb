"""The figures of a run by name, in the order in which they tell its story, and the module of each."""

NAMES = {
    "power": "bench.report.figures.power",
    "joules-per-token": "bench.report.figures.joules_per_token",
    "savings": "bench.report.figures.savings",
    "where": "bench.report.figures.where",
    "quality": "bench.report.figures.quality",
    "drift": "bench.report.figures.drift",
    "thermal": "bench.report.figures.thermal",
    "routing": "bench.report.figures.routing",
    "roofline": "bench.report.figures.roofline",
}
