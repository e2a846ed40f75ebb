"""PyTorch's device `mps` where there is none: tensors that say they are there, and what MPS refuses.

What is on the device is a tensor around one of the cpu, so that its arithmetic is the cpu's. Refused is what
refuses there too: numbers in float64, an operator that has no kernel for MPS (by the table that PyTorch's own
code is made from), operands of two devices, int8 matrices that are no multiples of 32. The kernels that MPS
alone has are written out. `reads` counts how often the host waits for a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
import torchgen
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

aten = torch.ops.aten
MPS = torch.device("mps", 0)
MEMORY_BYTES = 8 << 30
_TABLE = Path(torchgen.__file__).parent / "packaged/ATen/native/native_functions.yaml"
_READS = {aten._local_scalar_dense, aten.nonzero, aten.masked_select, aten.equal, aten._unique2}
"""Operators whose result the host has to wait for."""
_FETCHES = (Tensor.tolist, Tensor.item, Tensor.__float__, Tensor.__int__, Tensor.__bool__, Tensor.__index__)
_WIDE = (torch.float64, torch.complex128)
_READ_BY_ALL = ("CompositeExplicitAutograd", "CompositeImplicitAutograd")


class OnDevice(Tensor):
    """A tensor that says it is on MPS."""

    held: Tensor
    says = MPS

    @staticmethod
    def __new__(cls, held: Tensor) -> OnDevice:
        with torch.inference_mode(held.is_inference()):  # a view is of the kind of what it is a view of
            made = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
                cls,
                held.size(),
                strides=held.stride(),
                storage_offset=held.storage_offset(),
                dtype=held.dtype,
                device=MPS,
                dispatch_device=True,
            )
        made.held = held
        return made  # type: ignore[no-any-return]

    def __repr__(self) -> str:  # type: ignore[override]
        return f"OnDevice({self.held!r})"

    @classmethod
    def __torch_dispatch__(cls, function: Any, _: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is torch.ops.prim.device.default:
            return cls.says
        raise RuntimeError(f"{function} of a tensor on the device, outside of mps_like()")


class Numbered(TorchFunctionMode):
    """`mps` is `mps:0`, which PyTorch would ask the device itself."""

    def __torch_function__(self, function: Any, _: Any, args: Any = (), kwargs: Any = None) -> Any:
        def numbered(leaf: Any) -> Any:
            return MPS if isinstance(leaf, str | torch.device) and str(leaf) == "mps" else leaf

        if function is torch.device:
            return function(*args, **(kwargs or {}))
        if function in (Tensor.__getitem__, Tensor.__setitem__, Tensor.contiguous):
            if len(args) > 1 and isinstance(args[1], tuple) and isinstance(args[0], OnDevice):
                index = (torch.tensor(one, device=MPS) if isinstance(one, list) else one for one in args[1])
                args = (args[0], tuple(index), *args[2:])
            with patch.object(OnDevice, "says", torch.device("meta")):  # else it looks for MPS's own code
                return function(*args, **(kwargs or {}))
        if function in _FETCHES and isinstance(args[0], OnDevice):
            return function(args[0].cpu())
        return function(*map(numbered, args), **{key: numbered(one) for key, one in (kwargs or {}).items()})


class MpsLike(TorchDispatchMode):
    """Everything that PyTorch does for as long as it lasts."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    def __torch_dispatch__(self, function: Any, _: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is torch.ops.prim.device.default:
            return args[0].says
        kwargs = dict(kwargs or {})
        tensors = [leaf for leaf in tree_flatten((args, kwargs))[0] if isinstance(leaf, Tensor)]
        is_there = any(isinstance(tensor, OnDevice) for tensor in tensors)
        target = torch.device(kwargs["device"]).type if kwargs.get("device") is not None else None
        if not is_there and target != "mps":
            return function(*args, **kwargs)
        if (
            function.overloadpacket not in _OWN
            and _is_composite(function)
            and not _has_own(function.overloadpacket)
        ):
            with self:
                return function.decompose(*args, **kwargs)
        return self._run(function, args, kwargs, tensors, target or "mps")

    def _run(self, function: Any, args: Any, kwargs: Any, tensors: list[Tensor], target: str) -> Any:
        packet = function.overloadpacket
        if packet not in _OWN and not _runs_on_mps(function):
            raise NotImplementedError(f"The operator '{function.name()}' has no kernel for the MPS device")
        if packet not in (aten._to_copy, aten.copy_):
            _check_one_device(function, tensors)
        if kwargs.get("dtype") in _WIDE:
            raise TypeError("Cannot convert a MPS Tensor to float64 dtype")
        if kwargs.get("device") is not None:
            kwargs["device"] = "cpu"
        leaves = target == "cpu" or (packet is aten.copy_ and not _there(args[0]))
        is_mask = packet is aten.index and any(one is not None and one.dtype == torch.bool for one in args[1])
        self.reads += packet in _READS or leaves or is_mask
        wrappers = {id(tensor.held): tensor for tensor in tensors if isinstance(tensor, OnDevice)}
        held_args, held_kwargs = tree_map(_held, (args, kwargs))
        out = _OWN.get(packet, function)(*held_args, **held_kwargs)
        if leaves:
            return out

        def back(leaf: Any) -> Any:
            if not isinstance(leaf, Tensor):
                return leaf
            if leaf.dtype in _WIDE:
                raise TypeError(f"{function} makes a {leaf.dtype}, which MPS has not")
            former = wrappers.get(id(leaf))
            return OnDevice(leaf) if former is None else former

        return tree_map(back, out)


def _there(tensor: Tensor) -> bool:
    return isinstance(tensor, OnDevice)


def _held(leaf: Any) -> Any:
    return leaf.held if isinstance(leaf, OnDevice) else leaf


def _check_one_device(function: Any, tensors: list[Tensor]) -> None:
    for tensor in tensors:
        if not _there(tensor) and tensor.dim():
            raise RuntimeError(f"{function}: expected all tensors on the same device, but got mps and cpu")


@cache
def _kernels() -> dict[str, tuple[set[str], str | None]]:
    """Of every operator: for what it has a kernel, and the operator that it leaves the work to."""
    found = {}
    for entry in re.split(r"^- func: ", _TABLE.read_text(), flags=re.MULTILINE)[1:]:
        name = entry[: entry.index("(")]
        keys = {
            key.strip()
            for line in re.findall(r"^    ([\w, ]+): \w", entry, re.MULTILINE)
            for key in line.split(",")
        }
        delegate = re.search(r"^  structured_delegate: (\S+)", entry, re.MULTILINE)
        found[name] = keys, delegate and delegate[1]
    return found


@cache
def _runs_on_mps(function: Any) -> bool:
    name = function.name().removeprefix("aten::")
    if name not in _kernels():
        return True  # made by PyTorch's generator from one that is in the table
    keys, delegate = _kernels()[name]
    if delegate:
        keys = _kernels()[delegate][0]
    return not keys or any(key == "MPS" or key.startswith(_READ_BY_ALL) for key in keys)


@cache
def _has_own(packet: Any) -> bool:
    return any("MPS" in _kernels().get(_name(packet, one), ((), None))[0] for one in packet.overloads())


def _name(packet: Any, overload: str) -> str:
    name = packet.__name__
    return name if overload == "default" else f"{name}.{overload}"


@cache
def _is_composite(function: Any) -> bool:
    return torch._C._dispatch_has_kernel_for_dispatch_key(function.name(), "CompositeImplicitAutograd")


def _int8(hidden: Tensor, packed: Tensor, scales: Tensor) -> Tensor:
    """The checks of MPS's kernel, and what it computes."""
    outputs, inputs = packed.shape
    assert hidden.dtype in (torch.float32, torch.float16, torch.bfloat16)
    assert hidden.dtype == scales.dtype
    assert hidden.is_contiguous()
    assert packed.is_contiguous()
    assert packed.dtype == torch.int8
    assert scales.shape == (outputs,)
    if outputs % 32 or inputs % 32:
        raise RuntimeError("Expected N % 32 == 0 && K % 32 == 0 to be true, but got false.")
    return ((hidden.float() @ packed.float().T) * scales.float()).to(hidden.dtype)


def _pack_int4(pairs: Tensor, tiles: int) -> Tensor:
    """Four dimensions and int32, as MPS has it; the order inside is the plain one."""
    rows, half = pairs.shape
    assert pairs.dtype == torch.uint8
    assert tiles in (2, 4, 8)
    if rows % 32 or (2 * half) % (16 * tiles):
        raise RuntimeError(f"an int4 matrix of {rows} rows and {2 * half} columns")
    return pairs.contiguous().view(torch.int32).view(rows // 8, 2 * half // (16 * tiles), 32, tiles // 2)


def _int4(hidden: Tensor, packed: Tensor, group: int, scales: Tensor) -> Tensor:
    rows, inputs = packed.shape[0] * 8, hidden.shape[1]
    assert packed.dtype == torch.int32
    assert packed.dim() == 4
    assert hidden.is_contiguous()
    assert hidden.dtype in (torch.float32, torch.float16, torch.bfloat16)
    assert group in (32, 64, 128, 256)
    assert scales.shape == (inputs // group, rows, 2)
    pairs = packed.reshape(rows, -1).view(torch.uint8)
    levels = torch.stack([pairs >> 4, pairs & 15], dim=-1).view(rows, inputs // group, group)
    per_row = scales.float().transpose(0, 1)[..., None, :]
    weight = (levels.float() - 8) * per_row[..., 0] + per_row[..., 1]
    return (hidden.float() @ weight.view(rows, inputs).T).to(hidden.dtype)


def _attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, *rest: Any, **more: Any
) -> Any:
    assert mask is None or mask.dtype in (torch.bool, query.dtype)
    return aten.scaled_dot_product_attention(query, key, value, mask, *rest, **more)


_OWN = {
    aten._weight_int8pack_mm: _int8,
    aten._weight_int4pack_mm: _int4,
    aten._convert_weight_to_int4pack: _pack_int4,
    aten.scaled_dot_product_attention: _attention,
}
"""What is written out here: MPS has a kernel, and the cpu another or none."""


@contextmanager
def mps_like() -> Iterator[MpsLike]:
    """A device `mps` for as long as this lasts."""
    memory = {
        "synchronize": lambda: None,
        "empty_cache": lambda: None,
        "driver_allocated_memory": lambda: 1 << 20,
        "current_allocated_memory": lambda: 1 << 20,
        "recommended_max_memory": lambda: MEMORY_BYTES,
    }
    torch._C._set_only_lift_cpu_tensors(True)  # a tensor made from a list is made on the cpu, then moved
    torch.__future__.set_overwrite_module_params_on_conversion(True)  # a moved parameter is a new one
    try:
        with (
            patch.multiple(torch.mps, **memory),
            patch.object(torch.backends.mps, "is_available", lambda: True),
            Numbered(),
            MpsLike() as mode,
        ):
            yield mode
    finally:
        torch._C._set_only_lift_cpu_tensors(False)
        torch.__future__.set_overwrite_module_params_on_conversion(False)
