import pytest

from energy.lab.documents import SHAPES, Told, document
from energy.plist import parse

TOLD = Told(
    elapsed_ns=110_000_000,
    label_s=1_700_000_000.7,
    energies_mj={"cpu": 900, "gpu": 1500, "ane": 2, "dram": 30, "package": 2500},
    active_cores=2.0,
    gpu_active=0.5,
)


@pytest.mark.parametrize("name", SHAPES)
def test_what_a_document_is_told_is_what_is_read(name: str):
    shape = SHAPES[name]
    reading = parse(document(TOLD, shape))
    assert reading.elapsed_s == pytest.approx(0.11)
    assert reading.timestamp_s == 1_700_000_000
    for rail in shape.rails:
        assert reading.joules[rail] == pytest.approx(TOLD.energies_mj[rail] / 1000)
    if shape.clusters:
        assert reading.active_s["cpu"] == pytest.approx(0.22, rel=1e-4)
    assert reading.faults == ()


def test_documents_are_as_long_as_real_ones():
    lengths = [len(document(TOLD, shape)) for shape in SHAPES.values()]
    assert min(lengths) < 1000
    assert max(lengths) > 100_000
