"""Nothing that names a person or a machine leaves it."""

from __future__ import annotations

import json
import os
import unicodedata

import pytest

from bench.cli.doctor.anonymous import anonymous, homes_here, names_here


@pytest.mark.parametrize(
    "name",
    [
        "ann",
        "Ann O'Neil",
        "a.*b",
        "müller",
        "c++",
        "(root)",
        "x",
        "小林",
        "Anns-MacBook-Pro.local",
        "[a-z]+",
        "$HOME",
    ],
)
def test_a_name_is_gone_wherever_it_stands_and_whatever_it_is(name: str) -> None:
    texts = [f"{name} said", f"by {name}.", f"'{name}'", f"{name.upper()}: 3", f"{name}@host"]
    cleaned = anonymous({"a": texts, "b": {"c": f"user={name}"}}, names=[name])
    assert name.lower() not in [text.lower() for text in cleaned["a"]]
    for text in [*cleaned["a"][:4], cleaned["b"]["c"]]:
        assert "<name>" in text
        assert name.lower() not in text.lower().replace("<name>", "")


def test_a_short_name_changes_no_other_word_and_no_key() -> None:
    found = {"cpu": "the cpu of cpus", "gpu": 3, "none": None, "share": 0.5}
    assert anonymous(found, names=["cpu"]) == {**found, "cpu": "the <name> of cpus"}


def test_a_machine_is_known_by_the_first_part_of_its_name_too() -> None:
    cleaned = anonymous(["anns-mac.fritz.box", "ANNS-MAC is up"], names=["Anns-Mac.fritz.box"])
    assert cleaned == ["<name>", "<name> is up"]


def test_both_ways_to_write_an_umlaut_are_one_name() -> None:
    written = unicodedata.normalize("NFD", "müller went home")
    assert anonymous(written, names=["müller"]) == "<name> went home"


@pytest.mark.parametrize(
    ("path", "left"),
    [
        ("/Users/ann/models/x.gguf", "<path>"),
        ("/Users/Ann Lee/My Models", "<path> Models"),
        ("/home/bob/.cache/joulebench", "<path>"),
        ("/Volumes/Ann's Disk/x", "<path>"),
        ("/private/var/folders/q1/abc/T/joulebench-1", "<path>"),
        ("/opt/secret/place", "<path>"),
        ("/usr/bin/powermetrics -h", "/usr/bin/powermetrics -h"),
        ("0.5 J/token on https://example.org/a", "0.5 J/token on https://example.org/a"),
    ],
)
def test_paths_are_kept_only_where_they_are_the_same_everywhere(path: str, left: str) -> None:
    cleaned = anonymous(path, names=[], homes=["/Users/ann", "/Users/Ann Lee"])
    assert cleaned == left
    for word in ("ann", "bob", "secret", "abc"):
        assert word not in cleaned.lower()


def test_serial_numbers_addresses_and_ids_are_gone() -> None:
    text = (
        "Serial Number (system): C02XK0AAJG5H\nHardware UUID: 12345678-ABCD-1234-ABCD-1234567890AB\n"
        "en0 a1:b2:c3:d4:e5:f6 ann@example.org -InternalBattery-0 (id=4522083)\t100%"
    )
    cleaned = anonymous(text, names=[])
    for gone in ("C02XK0AAJG5H", "12345678-ABCD", "a1:b2", "example.org", "4522083"):
        assert gone not in cleaned
    assert "100%" in cleaned


def test_the_names_of_this_machine_are_found() -> None:
    assert all(names_here())
    assert all(home.startswith("/") for home in homes_here())
    named = json.dumps([f"{name} at {home}/x" for name in names_here() for home in homes_here()])
    cleaned = json.dumps(anonymous(json.loads(named), names=names_here(), homes=homes_here()))
    assert not [name for name in names_here() if f'"{name} ' in cleaned]


def test_a_user_whom_the_machine_does_not_know_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that was given a number alone."""
    monkeypatch.setattr(os, "getuid", lambda: 54321)
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME", "SUDO_USER", "HOME"):
        monkeypatch.delenv(variable, raising=False)
    assert os.uname().nodename in names_here()
    assert "~" not in homes_here()
    monkeypatch.setenv("USER", "ana")
    assert "ana" in names_here()
