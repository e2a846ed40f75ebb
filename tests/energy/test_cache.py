import hmac
import io
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from energy import cache
from energy.base import EnergyError, SourceInfo, Trace
from energy.decode import RecordingDecoder
from energy.lab.documents import SHAPES, Told, document
from energy.modelled import modelled
from energy.recording import Header, Recording, Stamp
from energy.replay import load
from energy.timeline import trace_of
from energy.together import Together
from energy.user_cache import user_cache

SOURCE = SourceInfo(
    name="simulated",
    kind="simulated",
    rails=("cpu", "gpu", "ane"),
    boundary="soc_cpu_gpu_ane",
    interval_s=0.1,
    resolution_j=0.001,
    details={"command": "a b"},
)


def told(at_s: float, *, cpu_mj: int) -> bytes:
    energies_mj = {"cpu": cpu_mj, "gpu": 800, "ane": 0}
    return document(Told(elapsed_ns=100_000_000, label_s=1.7e9 + at_s, energies_mj=energies_mj), SHAPES["m1"])


def record(folder: Path, *, count: int = 60) -> Path:
    """A stream with a hot spell, a document that can't be read, and a meter that died for good."""
    folder.mkdir(exist_ok=True)
    recording = Recording(folder, Header("plist", SOURCE))
    for i in range(count):
        at_s = 100.0 + 0.1 * (i + 1)
        content = told(at_s, cpu_mj=300 + i)
        content = b"<plist>cut</plist>" if i == 30 else content
        content = content.replace(b"Nominal", b"Heavy") if i > 40 else content
        recording.append(content, Stamp(at_s + 0.003, 1.7e9 + at_s, at_s))
    recording.event("died", "exit code 1", Stamp(200.0, 1.7e9 + 200, 200.0))
    recording.close()
    return folder


def decoded(folder: Path) -> tuple[Trace, SourceInfo]:
    """What the raw files say, whatever is kept beside them."""
    decoder = RecordingDecoder(folder)
    decoder.update()
    return trace_of(decoder), decoder.source


def assert_same(one: tuple[Trace, SourceInfo], other: tuple[Trace, SourceInfo]) -> None:
    for name in ("start_s", "end_s", "joules"):
        np.testing.assert_array_equal(getattr(one[0], name), getattr(other[0], name))
    for name in ("rails", "alignment_s", "faults", "thermal"):
        assert getattr(one[0], name) == getattr(other[0], name)
    assert one[1] == other[1]


def test_what_is_kept_is_exactly_what_was_decoded(tmp_path: Path) -> None:
    record(tmp_path)
    truth = decoded(tmp_path)
    assert truth[0].faults[-1].end_s == float("inf")
    assert {state for _, state in truth[0].thermal} >= {"Heavy"}
    assert not (tmp_path / cache.KEPT).exists()
    assert_same(load(tmp_path), truth)
    assert_same(cache.kept(tmp_path) or pytest.fail("nothing was kept"), truth)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_second_look_does_not_decode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record(tmp_path)
    first = load(tmp_path)
    monkeypatch.setattr(RecordingDecoder, "update", lambda self: pytest.fail("decoded again"))
    assert_same(load(tmp_path), first)


def test_a_stream_that_has_changed_is_decoded_anew(tmp_path: Path) -> None:
    record(tmp_path)
    before = load(tmp_path)
    recording = Recording(tmp_path, Header("plist", SOURCE))
    for i in range(20):
        at_s = 300.0 + 0.1 * (i + 1)
        recording.append(told(at_s, cpu_mj=i), Stamp(at_s + 0.003, 1.7e9 + at_s, at_s))
    recording.close()
    assert cache.kept(tmp_path) is None
    after = load(tmp_path)
    assert len(after[0].end_s) == len(before[0].end_s) + 20
    assert_same(after, decoded(tmp_path))


def test_another_version_of_the_code_decodes_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record(tmp_path)
    load(tmp_path)
    monkeypatch.setattr(cache, "_code", lambda: "of tomorrow")
    assert cache.kept(tmp_path) is None


def test_every_module_that_makes_a_trace_counts_as_its_code() -> None:
    code = (
        "import sys, energy.cache\n"
        "print(' '.join(sorted(n[7:] for n in sys.modules if n.startswith('energy.'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert tuple(done.stdout.split()) == cache.MAKERS


def tampered(file: Path, **changes: object) -> None:
    """As a forger who has the key would do it; without the key see below."""
    with np.load(io.BytesIO(file.read_bytes()[32:])) as stored:
        content = dict(stored)
    words = json.loads(str(content["words"]))
    for key, value in changes.items():
        if key in content:
            content[key] = np.asarray(value)
        else:
            words[key] = value
    content["words"] = np.array(json.dumps(words))
    out = io.BytesIO()
    np.savez(out, **content)  # type: ignore[arg-type]
    key = (user_cache() / "readings.key").read_bytes()
    file.write_bytes(hmac.digest(key, out.getvalue(), "sha256") + out.getvalue())


@pytest.mark.parametrize(
    "changes",
    [
        {"made_from": {"raw_bytes": 1}},
        {"joules": [[1.0]]},
        {"joules": np.array([{"a": 1}], dtype=object)},
        {"start_s": []},
        {"rails": ["cpu"]},
        {"source": {}},
        {"faults": [{"surprise": 1}]},
        {"thermal": 3},
    ],
)
def test_a_cache_in_which_anything_is_odd_is_ignored(tmp_path: Path, changes: dict[str, object]) -> None:
    record(tmp_path)
    load(tmp_path)
    tampered(tmp_path / cache.KEPT, **changes)
    assert cache.kept(tmp_path) is None
    assert_same(load(tmp_path), decoded(tmp_path))


def test_a_cache_that_was_made_elsewhere_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The forger has everything but the key: the digests fit, and so does the code."""
    record(tmp_path / "run")
    monkeypatch.setenv("JOULEBENCH_CACHE", str(tmp_path / "theirs"))
    load(tmp_path / "run")
    tampered(tmp_path / "run" / cache.KEPT, joules=0.5 * load(tmp_path / "run")[0].joules)
    assert cache.kept(tmp_path / "run") is not None  # believed where it was made
    monkeypatch.setenv("JOULEBENCH_CACHE", str(tmp_path / "ours"))
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("opened"))
    assert cache.kept(tmp_path / "run") is None
    monkeypatch.undo()


def test_nothing_is_kept_where_the_key_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOULEBENCH_CACHE", "/proc/nowhere")
    record(tmp_path)
    assert_same(load(tmp_path), decoded(tmp_path))
    assert not (tmp_path / cache.KEPT).exists()


def test_an_arrival_of_absurd_size_is_refused_before_it_is_read(tmp_path: Path) -> None:
    record(tmp_path)
    index = tmp_path / "power.index"
    index.write_text(index.read_text() + '{"received": 12800000000, "at": [1, 1, 1]}\n')
    with pytest.raises(EnergyError, match="bytes arrived at once"):
        load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"\x93NUMPY"])
def test_a_file_that_is_no_cache_is_ignored_and_replaced(tmp_path: Path, content: bytes) -> None:
    record(tmp_path)
    (tmp_path / cache.KEPT).write_bytes(content)
    assert_same(load(tmp_path), decoded(tmp_path))
    assert cache.kept(tmp_path) is not None


def test_a_folder_that_can_not_be_written_to_is_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(tmp_path)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("read-only")

    monkeypatch.setattr(np, "savez", refuse)
    assert_same(load(tmp_path), decoded(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["power.index", "power.raw"]


def test_a_source_that_is_stopped_keeps_its_readings(tmp_path: Path) -> None:
    source = modelled(interval_ms=10)
    source.start(tmp_path)
    time.sleep(0.15)
    source.stop()
    assert_same(cache.kept(tmp_path) or pytest.fail("nothing was kept"), decoded(tmp_path))
    source.stop()


def test_a_recording_without_a_reading_is_no_error(tmp_path: Path) -> None:
    Recording(tmp_path, Header("readings", SOURCE)).close()
    trace, info = load(tmp_path)
    assert trace.end_s.size == 0
    assert info == SOURCE
    assert_same(load(tmp_path), (trace, info))


def test_sources_that_run_together_keep_theirs_in_their_own_folders(tmp_path: Path) -> None:
    together = Together(modelled(interval_ms=10), [modelled(idle_w=3.0, interval_ms=10)])
    together.start(tmp_path)
    time.sleep(0.1)
    together.stop()
    for folder in (tmp_path, tmp_path / "modelled"):
        assert_same(cache.kept(folder) or pytest.fail("nothing was kept"), decoded(folder))
