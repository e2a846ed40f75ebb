"""Whatever bytes come, `parse` gives a reading or an EnergyError, and nothing else.

That it takes a time in proportion to the bytes is seen in `benchmarks/parsing.py`.
"""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy.base import EnergyError
from energy.lab.documents import SHAPES, Told, document
from energy.plist import parse
from energy.text import parse_text
from tests.energy.samples import REAL, plist

TOLD = Told(elapsed_ns=110_000_000, label_s=1.7e9, energies_mj={"cpu": 900, "gpu": 1500, "ane": 0})


def survives(content: bytes, read=parse) -> None:
    try:
        reading = read(content)
    except EnergyError:
        pass
    else:
        assert reading.elapsed_s > 0
        for joules in reading.joules.values():
            assert joules is None or (math.isfinite(joules) and joules >= 0)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=2000))
def test_any_bytes(content: bytes):
    survives(content)
    survives(content, parse_text)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400))
def test_any_body_of_a_property_list(content: bytes):
    survives(plist("@").replace(b"@", content))


KEYS = st.sampled_from(
    [
        *("elapsed_ns", "is_delta", "timestamp", "thermal_pressure", "processor", "gpu", "clusters", "cpus"),
        *("idle_ratio", "cpu_energy", "gpu_energy", "cpu_power", "package_joules", "invalid", "dvfm_states"),
    ]
)
VALUES = st.recursive(
    st.sampled_from(
        [
            "<true/>",
            "<false/>",
            "<real>nan</real>",
            "<real>-inf</real>",
            "<real>1e400</real>",
            "<integer>-1</integer>",
            "<integer>0x10</integer>",
            "<integer>" + "9" * 5000 + "</integer>",
            "<string>7</string>",
            "<date>0000-00-00T00:00:00Z</date>",
            "<date>2026-01-01T00:00:00Z</date>",
            "<data>!</data>",
            "<integer>100000000</integer>",
            "<null/>",
        ]
    ),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda v: f"<array>{''.join(v)}</array>")
        | st.dictionaries(KEYS, inner, max_size=4).map(
            lambda d: f"<dict>{''.join(f'<key>{k}</key>{v}' for k, v in d.items())}</dict>"
        )
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=8))
def test_known_keys_with_values_of_every_kind(entries: dict[str, str]):
    survives(plist("".join(f"<key>{key}</key>{value}" for key, value in entries.items())))


@pytest.mark.parametrize("shape", SHAPES)
def test_mutated_documents_of_every_shape(shape: str):
    mutate(document(TOLD, SHAPES[shape]), random.Random(shape), times=60)


@pytest.mark.skipif(not REAL.exists(), reason="no streams of real Macs beside the checkout")
@pytest.mark.parametrize("name", ["m1-macos13.3-2s.plist", "m4pro-macos15.5-gpu_power-5-documents.plist"])
def test_mutated_documents_of_real_macs(name: str):
    content = (REAL / name).read_bytes()
    mutate(content[: content.find(b"</plist>") + 8], random.Random(name), times=150)


def mutate(content: bytes, chance: random.Random, *, times: int) -> None:
    """Flip, drop, double, swap and cut pieces of a document."""
    for _ in range(times):
        mutant = bytearray(content)
        for _ in range(chance.choice([1, 1, 2, 8])):
            begin = chance.randrange(len(mutant))
            end = min(len(mutant), begin + chance.choice([1, 1, 5, 60, 2000]))
            how = chance.randrange(5)
            if how == 0:
                mutant[begin] = chance.randrange(256)
            elif how == 1 and end - begin < len(mutant) - 10:
                del mutant[begin:end]
            elif how == 2:
                mutant[begin:begin] = mutant[begin:end]
            elif how == 3:
                mutant[begin:end] = bytes(reversed(mutant[begin:end]))
            else:
                mutant[begin:end] = b"9" * (end - begin)
        survives(bytes(mutant))


def test_nesting_without_end():
    survives(b"<plist>" + b"<array>" * 150_000)
    survives(b"<plist>" + b"<dict><key>a</key>" * 100_000)
