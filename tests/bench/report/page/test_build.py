"""The page as a file: whole, self-contained, beside everything that it links to."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import pytest

from bench.errors import UserError
from bench.report.page.build import write_page
from bench.report.story import Story
from bench.show.rates import given
from tests.bench.report.page.stubs import nothing, one_stub


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.levels: list[int] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        self.addresses += [found[name] or "" for name in ("href", "src") if name in found]
        self.ids += [found["id"] or ""] if "id" in found else []
        self.levels += [int(tag[1])] if re.fullmatch("h[1-6]", tag) else []


def read(page: Path) -> tuple[str, Links]:
    text, links = page.read_text(encoding="utf-8"), Links()
    links.feed(text)
    return text, links


def test_everything_that_it_links_to_is_there_and_nothing_is_elsewhere(echo_page: Path) -> None:
    _, links = read(echo_page)
    files = {unquote(one) for one in links.addresses if not one.startswith(("data:", "#"))}
    assert {"savings-by-arm.csv", "prompts.md", "provenance.csv", "power.svg"} <= files
    assert all((echo_page.parent / name).is_file() for name in files)
    assert all(address[1:] in links.ids for address in links.addresses if address.startswith("#"))
    assert len(links.ids) == len(set(links.ids))
    written = {file.name for file in echo_page.parent.iterdir()}
    assert written - files == {"report.html", "configurations.csv", "configurations.parquet"}


def test_headings_go_down_one_level_at_a_time(echo_page: Path) -> None:
    levels = read(echo_page)[1].levels
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_its_policy_allows_its_own_script_and_style_and_nothing_else(echo_page: Path) -> None:
    text, _ = read(echo_page)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; img-src data:;")
    for tag in ("style", "script"):
        content = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content[0].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy[1]
        assert len(content) == 1


def test_joules_that_are_no_measurement_are_called_so_from_top_to_bottom(
    echo_page: Path,
) -> None:
    text, _ = read(echo_page)
    top = text[text.index("The answer") : text.index("Numbers</h2>")]
    assert top.count("modelled, NOT a measurement: no claim can rest on them") == 1
    assert "not enough for a claim (needs 5)" in top
    assert "Energy per repeat, modelled, NOT a measurement" in text
    assert re.search("Power over time: .*, modelled, NOT a measurement", text)


def test_a_figure_that_is_not_drawn_is_a_line_and_no_file_is_removed(echo_run: Path, tmp_path: Path) -> None:
    story = Story.of(echo_run)
    text, _ = read(write_page([story], tmp_path, drawings=one_stub))
    assert "<strong>missing</strong>: there is &lt;nothing&gt; to draw" in text
    assert "A &lt;b&gt;stub&lt;/b&gt;, modelled" in text
    assert (tmp_path / "stub.csv").read_text() == "configuration,power (W)\n'=cmd,1.0\nplain,\n"
    (tmp_path / "notes.txt").write_text("mine")
    write_page([story], tmp_path, drawings=nothing)
    assert (tmp_path / "stub.csv").is_file()
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_the_same_run_gives_the_same_page(echo_run: Path, tmp_path: Path) -> None:
    story = Story.of(echo_run)
    pages = [write_page([story], tmp_path / name, drawings=one_stub).read_bytes() for name in ("a", "b")]
    assert pages[0] == pages[1]


def test_money_and_carbon_stand_on_the_page_as_they_are_printed(echo_run: Path, tmp_path: Path) -> None:
    rates = given(price="0.30 EUR/kWh", carbon="400 g/kWh")
    story = Story.of(echo_run, at=rates)
    text, _ = read(write_page([story], tmp_path / "page", drawings=nothing))
    assert len(story.at_given_rates) == 2
    for line in story.at_given_rates:
        assert " ".join(line.split()) in " ".join(text.replace("\u00a0", " ").split())
    without, _ = read(write_page([Story.of(echo_run)], tmp_path / "without", drawings=nothing))
    assert "your number" not in without


def test_a_page_that_fails_leaves_the_old_one_and_no_half_file(echo_run: Path, tmp_path: Path) -> None:
    story = Story.of(echo_run)
    before = write_page([story], tmp_path, drawings=nothing).read_bytes()

    def broken(story: Story) -> list[object]:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError):
        write_page([story], tmp_path, drawings=broken)  # type: ignore[arg-type]
    assert (tmp_path / "report.html").read_bytes() == before
    assert not [file for file in tmp_path.iterdir() if file.name.startswith(".")]


def test_several_runs_are_chapters_with_folders_of_their_own(
    echo_run: Path, hostile_run: Path, tmp_path: Path
) -> None:
    stories = (Story.of(folder) for folder in (echo_run, hostile_run))
    page = write_page(stories, tmp_path, apart=True, drawings=one_stub)
    text, links = read(page)
    assert "Report of 2 runs" in text
    assert (tmp_path / f"1-{echo_run.name}" / "stub.svg").is_file()
    files = [unquote(one) for one in links.addresses if not one.startswith(("data:", "#"))]
    assert all((tmp_path / name).is_file() for name in files)
    assert len(links.ids) == len(set(links.ids))


def test_a_run_in_which_nothing_was_measured_has_a_page_that_says_so(echo_run: Path, tmp_path: Path) -> None:
    copy = cut(echo_run, tmp_path, kinds=("session",))
    text, _ = read(write_page([Story.of(copy)], tmp_path / "page"))
    assert "Nothing was measured" in text
    assert "no block is whole" in text


def test_a_run_with_windows_of_the_copy_alone_has_a_page(echo_run: Path, tmp_path: Path) -> None:
    copy = tmp_path / echo_run.name
    shutil.copytree(echo_run, copy)
    file = copy / "records.jsonl"
    lines = file.read_text().splitlines()
    kept = [line for line in lines if json.loads(line).get("a_a", True)]
    file.write_text("\n".join(kept) + "\n")
    assert len(kept) < len(lines)
    text, _ = read(write_page([Story.of(copy)], tmp_path / "page", drawings=nothing))
    assert "All numbers" in text


def test_a_run_that_was_cut_short_has_a_page_that_says_so(echo_run: Path, tmp_path: Path) -> None:
    copy = cut(echo_run, tmp_path, kinds=("session", "idle", "request", "slot"))
    text, _ = read(write_page([Story.of(copy)], tmp_path / "page"))
    assert "no block is whole: these are the windows there are" in text
    assert "Every configuration" in text


def test_a_folder_that_cannot_be_written_is_named(echo_run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="choose another folder with --out"):
        write_page([Story.of(echo_run)], tmp_path / "file", drawings=nothing)


def cut(run: Path, scratch: Path, *, kinds: tuple[str, ...]) -> Path:
    """A copy of a run that holds only records of these types."""
    copy = scratch / run.name
    shutil.copytree(run, copy)
    lines = (copy / "records.jsonl").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if json.loads(line)["type"] in kinds]
    (copy / "records.jsonl").write_text("\n".join(kept) + "\n", encoding="utf-8")
    return copy
