import pytest

from energy.base import DocumentError, Reading
from energy.plist import MAX_DOCUMENT_BYTES, _without_state_tables, parse
from tests.energy.samples import REAL, document, integers, plist


def test_millijoules_become_joules():
    reading = parse(document(elapsed_ns=104_512_000, cpu=947, gpu=153, ane=3))
    assert reading.elapsed_s == pytest.approx(0.104512)
    assert reading.joules == pytest.approx({"cpu": 0.947, "gpu": 0.153, "ane": 0.003})
    assert reading.timestamp_s == 1767225600.0


def test_the_gpu_is_never_counted_twice():
    body = integers(elapsed_ns=10**9) + (
        f"<key>processor</key><dict>{integers(cpu_energy=10, gpu_energy=100)}</dict>"
        f"<key>gpu</key><dict>{integers(gpu_energy=103)}</dict>"
    )
    assert parse(plist(body)).joules == pytest.approx({"cpu": 0.01, "gpu": 0.1})


def test_gpu_power_alone_has_no_processor():
    body = integers(elapsed_ns=10**9) + f"<key>gpu</key><dict>{integers(gpu_energy=19)}</dict>"
    assert parse(plist(body)).joules == pytest.approx({"gpu": 0.019})


def test_macos_11_and_12_print_package_and_dram():
    joules = parse(document(cpu=99, gpu=16, ane=0, dram=23, package=154)).joules
    assert joules == pytest.approx({"cpu": 0.099, "gpu": 0.016, "ane": 0, "dram": 0.023, "package": 0.154})


def test_intel_prints_joules_and_watts():
    body = integers(elapsed_ns=2 * 10**9) + (
        "<key>processor</key><dict><key>package_joules</key><real>7.25</real>"
        "<key>package_watts</key><real>3.625</real></dict>"
    )
    assert parse(plist(body)).joules == {"package": 7.25}


def test_power_stands_in_where_energy_is_not_printed():
    body = integers(elapsed_ns=2 * 10**9) + f"<key>processor</key><dict>{integers(cpu_power=500)}</dict>"
    assert parse(plist(body)).joules == pytest.approx({"cpu": 1.0})


def test_activity_comes_from_ratios_of_cores_that_are_neither_idle_nor_down():
    core = "<dict><key>idle_ratio</key><real>{}</real><key>down_ratio</key><real>{}</real></dict>"
    cores = core.format(0.25, 0.25) + core.format(0.0, 1.0)
    cluster = f"<key>name</key><string>M0-Cluster</string><key>cpus</key><array>{cores}</array>"
    clusters = f"<array><dict>{cluster}</dict></array>"
    body = integers(elapsed_ns=2 * 10**9) + (
        f"<key>processor</key><dict><key>clusters</key>{clusters}</dict>"
        "<key>gpu</key><dict><key>idle_ratio</key><real>0.9</real></dict>"
    )
    assert parse(plist(body)).active_s == pytest.approx({"cpu": 1.0, "gpu": 0.2})


def test_what_the_meter_marks_as_invalid_is_none_and_named():
    section = f"<key>invalid</key><true/>{integers(cpu_energy=1, gpu_energy=2)}"
    body = integers(elapsed_ns=10**9) + f"<key>processor</key><dict>{section}</dict>"
    reading = parse(plist(body))
    assert reading.joules == {"cpu": None, "gpu": None}
    assert [(fault.kind, fault.rail) for fault in reading.faults] == [("invalid", "cpu"), ("invalid", "gpu")]


def test_a_negative_energy_is_none_and_named():
    reading = parse(document(cpu=-5, gpu=1))
    assert reading.joules["cpu"] is None
    (fault,) = reading.faults
    assert (fault.kind, fault.rail, fault.detail) == ("impossible figure", "cpu", "cpu can't have used -5 mJ")


def test_a_lifetime_block_says_so():
    assert not parse(document(is_delta="false")).is_delta


def test_unknown_scalars_are_kept():
    reading = parse(plist(integers(elapsed_ns=10**9, novelty=7)))
    assert reading.other == {"novelty": 7}


def test_nuls_between_documents_are_not_part_of_them():
    assert parse(b"\0" + document() + b"\0") == parse(document())


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"\0\0",
        b"bplist00\xd0",
        b"not xml",
        document()[:-30],
        plist("<key>elapsed_ns</key><integer>0</integer>"),
        plist("<key>elapsed_ns</key><real>nan</real>"),
        plist("<key>elapsed_ns</key><true/>"),
        plist("<key>elapsed_ns</key><integer>" + "9" * 400 + "</integer>"),
        plist("<key>elapsed_ns</key><integer>" + "9" * 9000 + "</integer>"),
        plist("<key>timestamp</key><date>yesterday</date>"),
        b'<?xml version="1.0"?><plist version="1.0"><array/></plist>',
        b'<?xml version="1.0" encoding="klingon"?><plist version="1.0"><dict/></plist>',
        b"<plist>" + b" " * MAX_DOCUMENT_BYTES,
    ],
)
def test_whatever_is_no_reading_is_a_document_error(bad: bytes):
    with pytest.raises(DocumentError):
        parse(bad)


def test_entity_bombs_are_refused_before_they_are_read():
    bomb = b'<?xml version="1.0"?><!DOCTYPE plist [<!ENTITY a "aaaaaaaaaa">' + b"".join(
        b'<!ENTITY %c "&%c;&%c;&%c;&%c;">' % (c + 1, c, c, c, c) for c in range(97, 110)
    )
    with pytest.raises(DocumentError, match="entities"):
        parse(bomb + b"]><plist><dict><key>elapsed_ns</key><integer>&n;</integer></dict></plist>")
    with pytest.raises(DocumentError, match="entities"):
        parse(b"<!DOCTYPE plist [ <!ELEMENT a ANY> ]><plist><dict/></plist>")


def test_a_document_of_openings_without_an_end_is_a_document_error():
    """How long it takes is a matter of `benchmarks/parsing.py`."""
    with pytest.raises(DocumentError):
        parse(b"<plist>" + b"<key>dvfm_states</key><array>" * 10_000)


@pytest.mark.skipif(not REAL.exists(), reason="no streams of real Macs beside the checkout")
def test_real_documents_hold_these_joules():
    def readings(name: str) -> list[Reading]:
        stream = (REAL / name).read_bytes()
        return [parse(part + b"</plist>") for part in stream.split(b"</plist>")[:-1]]

    (m1,) = readings("m1-macos13.3-2s.plist")
    assert m1.joules == pytest.approx({"cpu": 0.089, "gpu": 0.031, "ane": 0.0})
    assert m1.elapsed_s == pytest.approx(2.01917875)
    assert m1.host["hw_model"] == "MacBookPro17,1"
    m4 = readings("m4pro-macos15.5-gpu_power-5-documents.plist")
    assert [reading.joules["gpu"] for reading in m4] == pytest.approx([0.019, 0.107, 0.788, 0.146, 0.126])


class Searched(bytes):
    """A document that counts how often it is searched from somewhere to its end."""

    searches = 0

    def find(self, *arguments: object) -> int:
        Searched.searches += 1
        return super().find(*arguments)  # type: ignore[arg-type]


def test_tables_within_a_table_are_not_searched_for_their_ends() -> None:
    document = Searched(b"<key>dvfm_states</key><array>" * 1000 + b"</array>rest")
    assert _without_state_tables(document) == b"rest"
    assert Searched.searches == 1


DEEP = b"<array>" * 100_000 + b"</array>" * 100_000
LONG = b"<integer>0x" + b"f" * 5000 + b"</integer>"


@pytest.mark.parametrize("value", [DEEP, LONG])
@pytest.mark.parametrize("key", [b"elapsed_ns", b"hw_model", b"thermal_pressure", b"is_delta", b"other"])
def test_a_value_that_python_can_not_print_is_no_traceback(key: bytes, value: bytes) -> None:
    usual = b"" if key == b"elapsed_ns" else b"<key>elapsed_ns</key><integer>100000000</integer>"
    energy = b"<key>processor</key><dict><key>cpu_energy</key>" + value + b"</dict>"
    document = b"<plist><dict><key>" + key + b"</key>" + value + usual + energy + b"</dict></plist>"
    if usual:
        [fault] = parse(document).faults
        assert fault.rail == "cpu"
    else:
        with pytest.raises(DocumentError, match=r"elapsed_ns: a (list|number of more than 40)"):
            parse(document)
