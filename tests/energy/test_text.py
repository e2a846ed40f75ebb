from pathlib import Path

import numpy as np
import pytest

from energy.base import DocumentError
from energy.replay import read_kept
from energy.text import parse_text, split_text
from tests.energy.samples import REAL

SAMPLE = b"""Machine model: MacBookAir10,1

*** Sampled system activity (Fri Nov 10 12:37:08 2023 +0100) (104.51ms elapsed) ***

E-Cluster Power: 105 mW
CPU 0 active residency:  20.00% (600 MHz:   0%)
CPU 1 active residency:  30.00% (600 MHz:   0%)
ANE Power: 0 mW
DRAM Power: 220 mW
CPU Power: 947 mW
GPU Power: 153 mW
Package Power: 1473 mW

*** Sampled system activity (Fri Nov 10 12:37:09 2023 +0100) (1000.00ms elapsed) ***

CPU Power: 100 mW
"""


def readings(stream: bytes):
    return [parse_text(sample) for sample in split_text(stream)]


def test_joules_are_power_times_the_interval_of_the_same_heading():
    first, second = readings(SAMPLE)
    assert first.elapsed_s == pytest.approx(0.10451)
    assert first.joules == pytest.approx(
        {
            "ane": 0,
            "dram": 0.0229922,
            "cpu": 0.09897097,
            "gpu": 0.01599003,
            "package": 0.15394323,
        }
    )
    assert first.active_s == pytest.approx({"cpu": 0.052255})
    assert first.timestamp_s == 1699616228.0
    assert second.joules == pytest.approx({"cpu": 0.1})


@pytest.mark.parametrize("block", [b"", b"CPU Power: 3 mW", SAMPLE.replace(b"104.51", b"0.00")[:200]])
def test_what_is_no_sample_is_a_document_error(block: bytes):
    with pytest.raises(DocumentError):
        parse_text(block)


@pytest.mark.skipif(not REAL.exists(), reason="no streams of real Macs beside the checkout")
def test_real_text_holds_whole_millijoules():
    found = readings((REAL / "m1-macos12.5.1-100ms-text.txt").read_bytes())
    assert len(found) == 10
    for reading in found:
        for rail, joules in reading.joules.items():
            rounding_mj = 0.5 * reading.elapsed_s + 0.005 * joules / reading.elapsed_s
            assert abs(joules * 1000 - round(joules * 1000)) <= rounding_mj, rail
    assert sum(reading.joules["cpu"] for reading in found) == pytest.approx(0.34, abs=0.01)
    (m2,) = readings((REAL / "m2-macos12.5-text.txt").read_bytes())
    assert m2.joules["package"] == pytest.approx(0.02507)


def sample(body: str, *, elapsed: str = "1000.00") -> bytes:
    heading = f"*** Sampled system activity (Fri Nov 10 12:37:08 2023 +0100) ({elapsed}ms elapsed) ***"
    return f"{heading}\n\n{body}".encode()


def test_the_closing_summary_is_no_figure_of_the_last_sample():
    body = "CPU Power: 100 mW\nGPU Power: 20 mW\n\n*** Summary ***\n\nCPU Power: 900 mW\nGPU Power: 700 mW\n"
    assert parse_text(sample(body)).joules == pytest.approx({"cpu": 0.1, "gpu": 0.02})
    assert parse_text(sample(body.replace("*** Summary ***", ""))).joules["cpu"] == pytest.approx(0.1)


@pytest.mark.parametrize("gpu", [("20", "35"), ("35", "20")])
def test_of_two_gpu_lines_the_one_that_adds_up_to_the_combined_power_is_right(gpu: tuple[str, str]):
    body = (
        f"CPU Power: 100 mW\nGPU Power: {gpu[0]} mW\nANE Power: 5 mW\n"
        f"Combined Power (CPU + GPU + ANE): 125 mW\n\n**** GPU usage ****\n\nGPU Power: {gpu[1]} mW\n"
    )
    assert parse_text(sample(body)).joules == pytest.approx({"cpu": 0.1, "gpu": 0.02, "ane": 0.005})


def test_a_sample_without_power_is_a_document_error():
    with pytest.raises(DocumentError, match="no power"):
        parse_text(sample("CPU 0 active residency:  20.00%\n"))


def test_a_decimal_comma_is_a_decimal_point():
    reading = parse_text(sample("CPU Power: 100,5 mW\nCPU 0 active residency:  20,00%\n", elapsed="500,00"))
    assert reading.elapsed_s == pytest.approx(0.5)
    assert reading.joules == pytest.approx({"cpu": 0.05025})
    assert reading.active_s == pytest.approx({"cpu": 0.1})


def test_an_intel_mac_prints_watts_of_its_package():
    reading = parse_text(sample("Intel energy model derived package power (CPUs+GT+SA): 3.32W\n"))
    assert reading.joules == pytest.approx({"package": 3.32})


def log(chance: np.random.Generator) -> tuple[str, float, float]:
    """A log with everything that older tools print beside a figure; its CPU and GPU joules as told."""
    samples, cpu_j, gpu_j, label_s = [], 0.0, 0.0, 0.0
    comma = bool(chance.integers(0, 2))
    for _ in range(int(chance.integers(5, 12))):
        length_ms = round(float(chance.uniform(900, 1100)), 2)
        label_s += length_ms / 1000
        heading = f"Fri Nov 10 12:37:{int(label_s):02d} 2023 +0100) ({length_ms:.2f}ms elapsed"
        cpu, gpu, other = (int(power) for power in chance.integers(50, 3000, 3))
        body = "CPU 0 active residency:  20.00%\n"
        if chance.random() < 0.8:  # else it has no power and is skipped
            lines = [gpu, other] if chance.integers(0, 2) else [other, gpu]
            body += f"CPU Power: {cpu} mW\nGPU Power: {lines[0]} mW\nANE Power: 0 mW\n"
            body += f"Combined Power (CPU + GPU + ANE): {cpu + gpu} mW\n\n**** GPU usage ****\n\n"
            body += f"GPU Power: {lines[1]} mW\n"
            cpu_j, gpu_j = cpu_j + cpu * length_ms * 1e-6, gpu_j + gpu * length_ms * 1e-6
        text = f"*** Sampled system activity ({heading}) ***\n\n{body}\n"
        samples.append(text.replace(".", ",") if comma else text)
    closing = f"*** Summary ***\n\nCPU Power: {int(chance.integers(1, 9000))} mW\nGPU Power: 7 mW\n"
    return "".join(samples) + closing, cpu_j, gpu_j


def test_a_hundred_logs_have_the_joules_that_they_tell(tmp_path: Path):
    for seed in range(100):
        text, cpu_j, gpu_j = log(np.random.default_rng(seed))
        (tmp_path / "log.txt").write_text(text)
        trace, _ = read_kept(tmp_path / "log.txt")
        found = dict(zip(trace.rails, np.nansum(trace.joules, axis=0).tolist(), strict=True))
        assert found["cpu"] == pytest.approx(cpu_j)
        assert found["gpu"] == pytest.approx(gpu_j)
        skipped = text.count("***\n\nCPU 0 active residency") - text.count("Combined Power")
        assert sum(fault.kind == "unreadable document" for fault in trace.faults) == skipped
