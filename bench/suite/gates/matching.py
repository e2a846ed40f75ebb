"""Controls get their rate, or their distribution, from the gate that they control, on the very prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.errors import UserError, nearest
from bench.suite.gates.base import ControlGate, Gate


def match_controls(gates: Mapping[str, Gate], prompts: Sequence[Sequence[int]]) -> dict[str, Gate]:
    """The gates with every control matched.

    Args:
        gates: by label.
        prompts: token ids of the whole prompt set.

    Raises:
        UserError: a control names a gate that is not there, or another control.
    """
    return {label: _matched(label, gate, gates, prompts) for label, gate in gates.items()}


def _matched(label: str, gate: Gate, gates: Mapping[str, Gate], prompts: Sequence[Sequence[int]]) -> Gate:
    if not isinstance(gate, ControlGate) or gate.matches is None:
        return gate
    controlled = gates.get(gate.matches)
    if controlled is None:
        raise UserError(f"gate {label!r} matches {gate.matches!r}, unknown", fix=nearest(gate.matches, gates))
    if isinstance(controlled, ControlGate) and controlled.matches is not None:
        raise UserError(
            f"gate {label!r} matches {gate.matches!r}, which is a control itself", fix="name a gate"
        )
    return gate.matched(controlled, prompts)
