from pathlib import Path

import pytest

from energy import rapl as rapl_module
from energy.base import SourceUnavailable
from energy.rapl import rapl

RANGE_UJ = 262_143_328_850


def zone(root: Path, folder: str, name: str, energy_uj: int) -> Path:
    place = root / folder
    place.mkdir()
    (place / "name").write_text(name + "\n")
    (place / "max_energy_range_uj").write_text(f"{RANGE_UJ}\n")
    (place / "energy_uj").write_text(f"{energy_uj}\n")
    return place / "energy_uj"


def joules(source) -> dict[str, float]:
    return dict(source._read())


def test_packages_and_their_dram_are_summed_and_nothing_is_counted_twice(tmp_path: Path):
    first = zone(tmp_path, "intel-rapl:0", "package-0", 5_000_000)
    zone(tmp_path, "intel-rapl:0:0", "core", 1)
    dram = zone(tmp_path, "intel-rapl:0:1", "dram", 100)
    second = zone(tmp_path, "intel-rapl:1", "package-1", 7)
    zone(tmp_path, "intel-rapl:2", "psys", 9)
    source = rapl(root=tmp_path)
    assert joules(source) == {"package": 0, "dram": 0}
    first.write_text("6500000")
    second.write_text("1000007")
    dram.write_text("250100")
    assert joules(source) == pytest.approx({"package": 2.5, "dram": 0.25})
    assert source.info.rails == ("package", "dram")
    assert source.info.boundary == "soc_plus_dram"
    assert source.info.kind == "measured"


def test_a_counter_that_starts_again_goes_on(tmp_path: Path):
    counter = zone(tmp_path, "intel-rapl:0", "package-0", RANGE_UJ - 1_000_000)
    source = rapl(root=tmp_path)
    joules(source)
    counter.write_text("2000000")
    assert joules(source) == pytest.approx({"package": 3.0})
    assert source.info.boundary == "package"


def test_a_machine_without_counters_is_told_what_to_use(tmp_path: Path):
    with pytest.raises(SourceUnavailable, match="--energy modelled"):
        rapl(root=tmp_path).check()


def test_files_for_root_only_are_explained(tmp_path: Path, monkeypatch):
    zone(tmp_path, "intel-rapl:0", "package-0", 1)

    def refuse(file: Path, *args: object, **kwargs: object) -> str:
        if file.name == "energy_uj":
            raise PermissionError(13, "Permission denied", str(file))
        return "package-0"

    source = rapl(root=tmp_path)
    monkeypatch.setattr(rapl_module.Path, "read_text", refuse)
    with pytest.raises(SourceUnavailable, match="CVE-2020-8694"):
        source.check()


def test_a_run_of_readings(tmp_path: Path):
    counter = zone(tmp_path, "intel-rapl:0", "package-0", 0)
    source = rapl(root=tmp_path, interval_ms=20)
    source.start(tmp_path)
    counter.write_text("3000000")
    import time

    assert source.wait(time.perf_counter() + 0.1, timeout_s=2)
    trace = source.trace()
    source.stop()
    assert trace.joules.sum() == pytest.approx(3.0)
    assert trace.alignment_s == pytest.approx(0.001)
