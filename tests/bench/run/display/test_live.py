"""The status that is redrawn in place: what it shows, how seldom, and what it does when resized."""

from __future__ import annotations

import io
import re
import threading
import time
from pathlib import Path

import pytest
from rich.console import Console
from rich.control import Control

from bench.run.display import live as display_live
from bench.run.display.live import REDRAW_S, LiveDisplay
from tests.bench.events import blocks, request, tell
from tests.waiting import wait_for

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def without_control(text: str) -> list[str]:
    """The lines in it; a carriage return begins a line, since what stood there is erased."""
    return CONTROL.sub("", text).replace("\r", "\n").split("\n")


class Terminal:
    """A console that writes into memory, and what has been written since the last look."""

    def __init__(self, width: int = 80, height: int = 24) -> None:
        self.file = io.StringIO()
        self.console = Console(file=self.file, force_terminal=True, width=width, height=height)

    def new(self) -> str:
        text = self.file.getvalue()
        self.file.seek(0)
        self.file.truncate()
        return text

    def lines(self) -> list[str]:
        return without_control(self.new())


def test_the_status_has_everything_and_its_watts_are_of_the_last_slot() -> None:
    terminal = Terminal()
    with LiveDisplay(terminal.console) as live:
        tell(live, slots=5)
        terminal.new()
        slot = blocks()[0][4]
        far_s = time.perf_counter() + 10
        live.request_done(request(slot, number=7, start_s=far_s, end_s=far_s), of=6)
        shown = dict(line.split(maxsplit=1) for line in terminal.lines() if " " in line)
    assert shown["now"] == "measuring"
    assert shown["window"].startswith("5 of 12, block 1")
    assert shown["prompt"] == "1 of 6, repeat 2"
    assert shown["speed"].endswith("tok/s")
    assert re.fullmatch(r"\d+ min ± \d+ s", shown["left"])
    assert shown["next"].startswith("torch ")
    assert shown["power"] == "5.00 W simulated, last window"
    assert shown["rails"] == "cpu 3.33, gpu 1.67, ane - W"
    assert shown["energy"] == "15.0 J/token simulated, last window"
    assert shown["thermal"] == "Nominal, last window"


def test_inside_a_window_it_redraws_at_most_every_two_seconds() -> None:
    assert REDRAW_S >= 0.5
    terminal = Terminal()
    with LiveDisplay(terminal.console) as live:
        tell(live)
        slot = blocks()[0][3]
        terminal.new()
        now_s = time.perf_counter()
        for number in range(100):
            live.request_done(request(slot, number=number, start_s=now_s, end_s=now_s + 0.01), of=6)
        assert terminal.new() == ""
        live.request_done(request(slot, start_s=now_s, end_s=now_s + REDRAW_S + 1), of=6)
        assert terminal.new() != ""


def test_a_first_pass_that_is_in_no_slot_is_shown() -> None:
    terminal = Terminal()
    with LiveDisplay(terminal.console) as live:
        live.stage("a first repeat of every configuration")
        live.window_opens()
        now_s = time.perf_counter() + REDRAW_S + 1
        live.request_done(request(blocks()[0][0], start_s=now_s, end_s=now_s), of=6)
        assert "1 of 6, repeat 1" in terminal.new()


def test_seconds_are_counted_while_loading_and_by_nobody_once_something_is_measured() -> None:
    terminal = Terminal()
    with LiveDisplay(terminal.console) as live:
        before = threading.active_count()
        live.stage("loading torch", ticking=True)
        wait_for(lambda: "loading torch, 1 s" in terminal.new())
        assert threading.active_count() == before + 1
        live.stage("idle before the blocks, 20 s")
        assert threading.active_count() == before
        live.stage("warming up torch", ticking=True)
    assert threading.active_count() == before


def test_between_slots_the_status_says_what_goes_on() -> None:
    terminal = Terminal()
    with LiveDisplay(terminal.console) as live:
        tell(live)
        terminal.new()
        live.stage("idle between the blocks, 20 s")
        shown = terminal.lines()
    assert "now      idle between the blocks, 20 s" in shown
    assert not any(line.startswith(("window ", "running ", "prompt")) for line in shown)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (40, 24), (30, 8), (160, 50)])
def test_nothing_wraps_and_nothing_scrolls_away(width: int, height: int) -> None:
    terminal = Terminal(width, height)
    with LiveDisplay(terminal.console) as live:
        tell(live, gate="a_gate_with_a_label_that_is_longer_than_half_a_line")
        assert max(map(len, terminal.lines())) <= width
        live.stage("idle")
        shown = terminal.new()
    assert shown.count("\n") < height


def test_a_terminal_that_was_resized_is_cleared_and_drawn_anew() -> None:
    terminal = Terminal(120, 30)
    with LiveDisplay(terminal.console) as live:
        tell(live)
        terminal.new()
        terminal.console.size = (44, 20)  # type: ignore[assignment]
        live.stage("idle")
        shown = terminal.new()
    assert str(Control.clear()) in shown
    lines = without_control(shown)
    assert max(map(len, lines)) <= 44
    assert any(line.startswith("window 3/12") for line in lines)


def test_when_it_is_over_the_lines_stay_and_the_status_goes() -> None:
    terminal = Terminal()
    with LiveDisplay(terminal.console) as live:
        tell(live)
        terminal.new()
    assert "now" not in terminal.new()


def test_hostile_labels_do_nothing() -> None:
    terminal = Terminal()
    with LiveDisplay(terminal.console) as live:
        tell(live, gate="\x1b]0;title\x07[bold]x[/]")
        shown = terminal.new()
    assert "\x1b]" not in shown
    assert "\x07" not in shown
    assert "[bold]x[/]" in shown


def test_while_something_is_measured_it_has_no_thread_and_no_timer() -> None:
    assert "auto_refresh=False" in Path(display_live.__file__).read_text(encoding="utf-8")
    before = threading.active_count()
    with LiveDisplay(Terminal().console) as live:
        live.stage("loading torch", ticking=True)
        tell(live, slots=5)
        assert threading.active_count() == before
