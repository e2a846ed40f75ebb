"""Money and carbon by the user's own numbers, labelled as such, and nothing without them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.errors import UserError
from bench.show.rates import given, lines, to_json
from tests.bench.processes import AS_ROOT, bench
from tests.bench.stored import stored_copy

BOTH = ["--price", "0.30 EUR/kWh", "--carbon", "400 g/kWh"]


def test_a_kilowatt_hour_costs_what_the_user_says() -> None:
    price, carbon = given(price="0.30 EUR/kWh", carbon="0.4kg / kWh")
    assert price.of(3.6e6) == pytest.approx(0.30)
    assert carbon.of(1.8e6) == pytest.approx(0.2)
    assert [str(price), str(carbon)] == ["0.3 EUR/kWh", "0.4 kg/kWh"]
    assert given(price=None, carbon=None) == ()


@pytest.mark.parametrize(
    "text", ["", "0.30", "0.30 EUR", "EUR/kWh", "-1 EUR/kWh", "0.3 EUR/MWh", "1 [b]/kWh"]
)
def test_a_number_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=r'--price .* give it as "0\.30 EUR/kWh"'):
        given(price=text, carbon=None)


def test_carbon_is_a_mass() -> None:
    with pytest.raises(UserError, match="is no mass"):
        given(price=None, carbon="400 EUR/kWh")


def test_a_sentence_names_the_number_and_the_kind_of_joules() -> None:
    rates = given(price="0.36 EUR/kWh", carbon=None)
    (line,) = lines(rates, {"torch": 1e6, "mlx": None}, what="A run", kinds=["modelled"])
    assert line == (
        "A run at 0.36 EUR/kWh (your number): 0.100 EUR (torch); joules modelled, NOT a measurement."
    )
    assert "not estimated" in lines(rates, {"mlx": None}, what="A run", kinds=["none"])[0]
    (told,) = to_json(rates, {"torch": 1e6, "mlx": None}, what="A run")
    assert told["amounts"] == {"torch": pytest.approx(0.1), "mlx": None}


@pytest.mark.usefixtures("no_figures")
def test_report_and_compare_say_what_a_million_tokens_take(echo_run: Path, tmp_path: Path) -> None:
    stored_copy(echo_run, tmp_path / "run", blocks=2)
    sides = ["compare", "run:echo/ungated", "run:echo/length"]
    for command in (["report", "run"], sides):
        plain, priced = (bench(*command, *extra, cwd=tmp_path).stdout for extra in ([], BOTH))
        said = " ".join(priced.split())
        assert "A million generated tokens at 0.3 EUR/kWh (your number): " in said
        assert "at 400 g/kWh (your number)" in said
        assert "your number" not in plain
    found = json.loads(bench(*sides, *BOTH, "--json", cwd=tmp_path).stdout)
    price, _ = found["at_given_rates"]
    joules = found["comparisons"][0]["first"]["joules_per_token"]
    assert next(iter(price["amounts"].values())) == pytest.approx(1e6 * joules / 3.6e6 * 0.30)


def test_exec_says_what_a_run_takes(tmp_path: Path) -> None:
    done = bench(
        *("exec", *AS_ROOT, "--energy", "modelled", "--idle", "0", *BOTH, "--", "sleep", "1.5"), cwd=tmp_path
    )
    assert "A run at 0.3 EUR/kWh (your number): " in " ".join(done.stderr.split())
