"""Joules of Python code: windows of a program over one sampler, which all of them share.

    from bench import measure

    with measure() as m:
        work()
    print(m.joules, m.bound, m.watts, m.seconds, m.grade)

The sampler is started by the first window, before it opens, and ended when the program ends; a program that
is killed closes the meter's pipe, and with it the meter ends. A window costs two looks at the clock. Its
joules are attributed when somebody asks: the last reading that they need arrives after the window has ended,
so `m.joules` may wait for about two readings.
"""

from __future__ import annotations

import atexit
import functools
import inspect
import os
import threading
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, cast, overload

from bench.errors import UserError
from bench.run import synchronize as devices

if TYPE_CHECKING:
    from bench.run.observed import Joules
    from bench.run.sampler import NameTotal, Sampler

P = ParamSpec("P")
R = TypeVar("R")

UNNAMED = "window"


class MeasuredWindow:
    """A window: a context manager, and then its figures. Figures are None where they are not known."""

    __slots__ = ("_found", "_owner", "_sampler", "end_s", "name", "start_s")

    def __init__(self, owner: Measure, name: str) -> None:
        self._owner, self.name = owner, name
        self.start_s: float | None = None
        """On the clock of `time.perf_counter`."""
        self.end_s: float | None = None
        self._found: Joules | None = None
        self._sampler: Sampler | None = None

    def __enter__(self) -> Self:
        self._owner._open(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._owner._close(self)

    @property
    def seconds(self) -> float:
        """Length of the window.

        Raises:
            UserError: it has not ended.
        """
        if self.start_s is None or self.end_s is None:
            raise UserError(
                f"the window {self.name!r} has not ended", fix="ask after its `with`, or its `end`"
            )
        return self.end_s - self.start_s

    @property
    def joules(self) -> float | None:
        """Energy of the window; `not_estimated` says why where there is none. May wait for two readings."""
        return self.attributed.total_j

    @property
    def bound(self) -> float | None:
        """The truth lies within `joules` plus or minus this, as far as the meter is right."""
        return self.attributed.bound_j

    @property
    def rails(self) -> dict[str, float | None]:
        """Joules by rail: `cpu`, `gpu`, ..."""
        return dict(self.attributed.rails_j)

    @property
    def watts(self) -> float | None:
        """Mean power."""
        joules = self.joules
        return None if joules is None or not self.seconds else joules / self.seconds

    @property
    def grade(self) -> int:
        """0 (not a measurement) to 4 (external meter); `attributed.grade_reasons` has what keeps it low."""
        return self.attributed.grade

    @property
    def kind(self) -> str:
        """`measured`, `modelled` or `simulated`: only the first is a measurement."""
        return self.attributed.kind

    @property
    def not_estimated(self) -> str | None:
        """Why there are no joules, if there are none."""
        return self.attributed.withheld

    @property
    def attributed(self) -> Joules:
        """Everything that is known of the window's joules."""
        if self._found is None:
            seconds = self.seconds
            assert self.start_s is not None
            assert self._sampler is not None
            self._found = self._sampler.joules(self.start_s, self.start_s + seconds)
        return self._found

    def __repr__(self) -> str:
        if self.end_s is None:
            return f"<window {self.name!r}, open>"
        from bench.run.sampler import words

        return f"<window {self.name!r}: {words(self.attributed, self.seconds)}>"


class Measure:
    """What `bench.measure` is; one for a process."""

    def __init__(self) -> None:
        self._running: Sampler | None = None
        self._lock = threading.RLock()
        self._by_name: dict[str, MeasuredWindow] = {}
        self._synchronize: Callable[[], None] = devices.synchronize

    def __call__(self, name: str = UNNAMED) -> MeasuredWindow:
        """A window for a `with` block. Windows may be nested, overlap, and share a name."""
        return MeasuredWindow(self, name)

    def begin(self, name: str) -> MeasuredWindow:
        """Open a window that `end` closes.

        Raises:
            UserError: one of that name is open.
            SourceUnavailable: the meter that was asked for can't run here.
        """
        if name in self._by_name:
            raise UserError(f"the window {name!r} is open", fix=f"end it first: measure.end({name!r})")
        window = MeasuredWindow(self, name)
        self._open(window)
        self._by_name[name] = window
        return window

    def end(self, name: str) -> MeasuredWindow:
        """Close the window of that name, and return it.

        Raises:
            UserError: none of that name is open.
        """
        try:
            window = self._by_name.pop(name)
        except KeyError:
            opened = ", ".join(map(repr, self._by_name)) or "none"
            raise UserError(f"no window {name!r} is open", fix=f"open are: {opened}") from None
        self._close(window)
        return window

    @overload
    def each(self, function: Callable[P, R], /) -> Callable[P, R]: ...
    @overload
    def each(self, function: str, /) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
    def each(self, function: Callable[P, R] | str, /) -> Any:
        """Decorate a function, also an asynchronous one: each call is a window with its name, or another."""
        if isinstance(function, str):
            return functools.partial(self._wrapped, name=function)
        return self._wrapped(function, name=function.__qualname__)

    def _wrapped(self, function: Callable[P, R], *, name: str) -> Callable[P, R]:
        if inspect.iscoroutinefunction(function):
            asynchronous = cast(Callable[P, Awaitable[Any]], function)

            @functools.wraps(asynchronous)
            async def later(*args: P.args, **kwargs: P.kwargs) -> Any:
                with self(name):
                    return await asynchronous(*args, **kwargs)

            return cast(Callable[P, R], later)

        @functools.wraps(function)
        def measured(*args: P.args, **kwargs: P.kwargs) -> R:
            with self(name):
                return function(*args, **kwargs)

        return measured

    def totals(self) -> dict[str, NameTotal]:
        """Count, seconds and joules of all windows that have ended, by name. May wait for two readings."""
        return {} if self._running is None else self._running.totals()

    def start(
        self,
        energy: str = "auto",
        *,
        synchronize: Callable[[], None] | None = None,
        self_test: bool = False,
        **options: Any,
    ) -> None:
        """Start the sampler now, not with the first window; what was measured before is forgotten.

        Args:
            energy: source, as in a suite: `auto`, `powermetrics`, `modelled`, ...
            synchronize: called where a window opens and closes; None: of torch and MLX, if they are loaded.
            self_test: load the machine for half a minute first; without it no figure is graded above 1.
            options: of the source.

        Raises:
            SourceUnavailable: that source can't run here.
        """
        with self._lock:
            self.stop()
            self._synchronize = synchronize or devices.synchronize
            self._start(energy, options, self_test=self_test)

    def _start(self, energy: str, options: dict[str, Any], *, self_test: bool = False) -> Sampler:
        from bench.run.sampler import Sampler

        self._running = Sampler(energy, options, self_test=self_test)
        return self._running

    def stop(self) -> None:
        """End the sampler. Figures of windows must be asked for before. The next window starts another."""
        with self._lock:
            running, self._running = self._running, None
            self._by_name.clear()
            if running is not None:
                running.stop()

    def _open(self, window: MeasuredWindow) -> None:
        sampler = self._running
        if sampler is None:
            with self._lock:
                sampler = self._running or self._start("auto", {})
        window._sampler = sampler
        self._synchronize()
        window.start_s = time.perf_counter()

    def _close(self, window: MeasuredWindow) -> None:
        self._synchronize()
        window.end_s = time.perf_counter()
        if window._sampler is not None and window.start_s is not None:
            window._sampler.add(window.name, window.start_s, window.end_s)

    def _forget(self) -> None:
        """In a child that was forked: the sampler is its parent's."""
        self._running = None
        self._lock = threading.RLock()
        self._by_name = {}


measure = Measure()
atexit.register(measure.stop)
os.register_at_fork(after_in_child=measure._forget)
