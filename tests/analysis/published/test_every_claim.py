import pytest

from analysis.claims import Claim
from analysis.published.every_claim import record_claims
from analysis.published.record import record
from analysis.published.routing import energy_change_percent, time_and_power
from analysis.values import Estimate
from tests.analysis.published.connectivity import all_tables

CLAIMS = {claim.name: claim for claim in record_claims(all_tables())}


def figure(claim: str, label: str) -> float:
    (value,) = (f.value for f in CLAIMS[claim].recomputed if f.label == label)
    return value.point if isinstance(value, Estimate) else value


@pytest.mark.parametrize(
    ("claim", "label", "value", "tolerance"),
    [
        ("routing.short.tokens", "generated tokens", -57.2, 1e-9),
        ("routing.short.tokens", "prompts to the small model", 36, 0),
        ("routing.short.tokens", "its generated tokens", 37, 0),
        ("routing.short.energy", "energy", -52.95, 0.005),
        ("routing.short.tokens_processed", "tokens of prompt and answer", -19.5, 0.05),
        ("routing.short.energy", "energy, one model twice", -65.8, 0.05),
        ("routing.short.energy", "of it wall time", -64.8, 0.05),
        ("routing.short.energy", "of it sampled power", 33.6, 0.05),
        ("routing.short.energy_per_token", "energy per generated token", 9.9, 0.05),
        ("routing.mixed.tokens", "generated tokens", -75.3, 0.05),
        ("routing.mixed.energy", "energy", 204, 0.5),
        ("routing.graph.tokens", "generated tokens", -0.47, 0.005),
        ("routing.mixed.energy", "of it wall time", -74.8, 0.05),
        ("routing.protocol", "energy, one model twice", -65.8, 0.05),
        ("routing.protocol", "of it wall time", -61.8, 0.05),
        ("routing.protocol", "of it sampled power", -10.0, 0.05),
        ("isolation.memory_bound", "its bytes explain at 16 bits, TinyLlama-1.1B", 4.15, 0.005),
        ("isolation.memory_bound", "its bytes explain at 4 bits, TinyLlama-1.1B", 1.04, 0.005),
        ("isolation.latency", "time, small over large", 1.47, 0.005),
        ("correlation.tinyllama", "r of 5 distinct points", -0.287, 0.0005),
        ("correlation.tinyllama", "p of 5 distinct points", 0.64, 0.005),
        ("correlation.tinyllama", "p of all 120 permutations", 0.78, 0.005),
        ("correlation.tinyllama", "p of 200 rows", 3.89e-5, 5e-8),
        ("correlation.hermes", "r of 5 distinct points", -0.420, 0.0005),
        ("correlation.hermes", "p of 5 distinct points", 0.48, 0.005),
        ("correlation.hermes", "p of all 120 permutations", 0.57, 0.005),
        ("correlation.hermes", "p of 200 rows", 6.06e-10, 5e-13),
        ("correlation.length.tinyllama", "beta of 200 rows", -5.9212, 5e-5),
        ("correlation.length.tinyllama", "t of 200 rows", -0.600, 5e-4),
        ("correlation.length.tinyllama", "p of 200 rows", 0.549, 5e-4),
        ("correlation.length.tinyllama", "r2 of 200 rows", 0.635, 5e-4),
        ("correlation.length.hermes", "beta of 200 rows", -3892.087, 5e-4),
        ("correlation.length.hermes", "t of 200 rows", -7.25, 5e-3),
        ("correlation.length.hermes", "r2 of 200 rows", 0.841, 5e-4),
        ("correlation.sign_flip", "of these with r > 0", 2, 0),
        ("correlation.sign_flip", "with r > 0 by his labels", 0, 0),
        ("correlation.scale", "Spearman's rho of size and -r", 0.5, 1e-9),
        ("redundancy.perplexity", "largest less smallest", 0, 0),
    ],
)
def test_the_record_recomputes(claim: str, label: str, value: float, tolerance: float) -> None:
    assert figure(claim, label) == pytest.approx(value, abs=tolerance)


@pytest.mark.parametrize(
    ("claim", "verdict"),
    [
        ("routing.short.tokens", "reproduced"),
        ("routing.short.energy", "reproduced but inside the A/A error"),
        ("routing.mixed.energy", "not reproduced"),
        ("routing.graph.tokens", "not reproduced"),
        ("isolation.latency", "not testable here"),
        ("isolation.memory_bound", "not reproduced"),
        ("correlation.tinyllama", "not reproduced"),
        ("correlation.scale", "not reproduced"),
        ("correlation.length.tinyllama", "reproduced"),
        ("correlation.length.hermes", "not reproduced"),
        ("correlation.modulus_table", "reproduced"),
        ("redundancy.cliff", "not reproduced"),
        ("literature.attention_dropped", "not testable here"),
    ],
)
def test_verdicts(claim: str, verdict: str) -> None:
    assert CLAIMS[claim].verdict == verdict


def test_the_papers_table_goes_through_the_rule() -> None:
    why = CLAIMS["isolation.memory_bound"].why
    assert "4.15 of a step at 16 bits a weight (more than can be)" in why
    assert "1.04 of a step at 4 bits a weight (memory-bound)" in why
    assert why.count("overhead-bound") == 2


@pytest.mark.parametrize("run", ["short_questions", "mixed_prompts", "small_model_only"])
def test_time_and_power_multiply_to_the_energy(run: str) -> None:
    published = record()["routing"][run]
    time, power = (figure.value for figure in time_and_power(published))
    assert (1 + time / 100) * (1 + power / 100) == pytest.approx(
        1 + energy_change_percent(published) / 100, rel=0.01
    )


def test_the_modulus_table_agrees_to_its_last_digit() -> None:
    claim = CLAIMS["correlation.modulus_table"]
    for published, recomputed in zip(claim.published, claim.recomputed[1:], strict=True):
        assert published.label == recomputed.label
        assert isinstance(recomputed.value, float)
        digits = 3 if published.label.startswith("share") else 4
        assert round(recomputed.value, digits) == pytest.approx(published.value)


def test_flat_perplexity_is_called_inactive() -> None:
    for name in ("redundancy.perplexity", "redundancy.speed", "redundancy.cliff"):
        assert "gate inactive" in CLAIMS[name].why


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=lambda claim: claim.name)
def test_every_claim_says_why_and_what_would_test_it(claim: Claim) -> None:
    assert claim.why
    if claim.verdict == "not testable here":
        assert claim.would_test
    assert len(CLAIMS) == len({c.name for c in CLAIMS.values()})


def test_published_intervals_are_fishers_of_the_nominal_count() -> None:
    for name in ("gpt2-small", "tinyllama", "phi-2", "hermes"):
        claim = CLAIMS[f"correlation.{name}"]
        published = claim.published[0].value
        (nominal,) = (f.value for f in claim.recomputed if f.label.startswith("r of") and "rows" in f.label)
        assert isinstance(published, Estimate)
        assert isinstance(nominal, Estimate)
        assert nominal.low == pytest.approx(published.low, abs=0.002)
        assert nominal.high == pytest.approx(published.high, abs=0.002)
