"""Groups of layers, as a cut's value: `[[25, 26], [17, 18]]`, or as text `25-26` and `["25-26", "17-18"]`."""

from __future__ import annotations

from itertools import chain
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from backends.base import BackendInfo, RequestError


def _from_text(value: Any) -> Any:
    """What is typed after `--cut KEY=`; whatever is no such text is left to be refused."""
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list | tuple):
        return value
    return [one.split("-") if isinstance(one, str) else one for one in listed]


def _apart(groups: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
    shown = [list(group) for group in groups]
    numbers = list(chain.from_iterable(groups))
    if not groups or any(len(group) < 2 for group in groups):
        raise ValueError(f"groups = {shown}; give groups of two layers or more, such as [[25, 26]]")
    if min(numbers) < 0 or len(set(numbers)) < len(numbers):
        raise ValueError(f"groups = {shown}; a layer is numbered from 0 and stands in one group, once")
    return tuple(tuple(sorted(group)) for group in groups)


Groups = Annotated[tuple[tuple[int, ...], ...], BeforeValidator(_from_text), AfterValidator(_apart)]
"""Groups of two layers or more that have none in common, each in order of layers."""


def _neighbours(groups: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, int], ...]:
    for group in groups:
        if len(group) != 2 or group[1] != group[0] + 1:
            raise ValueError(f"pairs = {[list(one) for one in groups]}; give neighbours, such as [[25, 26]]")
    return tuple((group[0], group[1]) for group in groups)


Pairs = Annotated[Groups, AfterValidator(_neighbours)]
"""Groups of two layers that follow each other."""


def check_layers(key: str, groups: tuple[tuple[int, ...], ...], info: BackendInfo) -> None:
    """Raise `RequestError` unless the model has every layer that the value of `key` names."""
    last = max(chain.from_iterable(groups))
    if last >= info.layers:
        raise RequestError(f"{key} names layer {last}, but the model has layers 0 to {info.layers - 1}")
