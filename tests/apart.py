"""A device that is none: its tensors lie on the CPU, and an operation that mixes them with the CPU's raises.

What FakeTensorMode does for shapes, with real numbers: code that reads them (`tolist`, masks as indices) runs on. An
index may lie on the CPU and a number has no device, as on CUDA.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map_only
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

_setup_privateuseone_for_python_backend("apart")  # in this process it is the accelerator from now on
APART = torch.device("apart:0")
ATEN = torch.ops.aten
MOVES = (ATEN._to_copy, ATEN.to, ATEN.copy_)
INDEXED = (ATEN.index.Tensor, ATEN.index_put.default, ATEN.index_put_.default, ATEN._unsafe_index_put.default)


class Apart(torch.Tensor):
    """A tensor of the device, around one of the CPU."""

    inner: torch.Tensor

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> Apart:
        found: Apart = torch.Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls,
            inner.shape,
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=APART,
            requires_grad=inner.requires_grad,
        )
        found.inner = inner
        return found

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class _Watched(TorchDispatchMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class _Made(TorchFunctionMode):
    """Tensors from Python's numbers, which are made without the dispatcher."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.Tensor.tolist and isinstance(args[0], Apart):
            return args[0].cpu().tolist()
        if func is torch.Tensor.__getitem__:
            index = args[1] if isinstance(args[1], tuple) else (args[1],)
            args = (args[0], tuple(torch.tensor(i) if isinstance(i, list) else i for i in index))
        if func is torch.Tensor.new_tensor and isinstance(args[0], Apart):
            kwargs = {"dtype": args[0].dtype, "device": APART} | kwargs
            func, args = torch.tensor, args[1:]
        if func is torch.tensor and kwargs.get("device") is not None:
            device = kwargs.pop("device")
            return torch.tensor(*args, **kwargs).to(device)
        return func(*args, **kwargs)


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    flat = tree_flatten((args, kwargs))[0]
    tensors = [x for x in flat if isinstance(x, torch.Tensor)]
    own = any(isinstance(x, Apart) for x in tensors)
    if own and func.overloadpacket not in MOVES:
        looked = [args[0]] if func in INDEXED and isinstance(args[0], Apart) else tensors
        other = next((x for x in looked if not isinstance(x, Apart) and x.dim()), None)
        if other is not None:
            raise RuntimeError(f"{func}: tensors of two devices meet, {APART} and {other.device} {tuple(other.shape)}")
    named = [x for x in flat if isinstance(x, torch.device)]
    wraps = named[0] == APART if named else own
    if func is ATEN.copy_.default:
        wraps = isinstance(args[0], Apart)
    plain_args, plain = tree_map_only(Apart, lambda x: x.inner, (args, kwargs))
    plain_args, plain = tree_map_only(torch.device, lambda _: torch.device("cpu"), (plain_args, plain))
    out = func(*plain_args, **plain)
    if wraps:
        out = tree_map_only(torch.Tensor, Apart, out)
    return return_and_correct_aliasing(func, args, kwargs, out) if wraps and own else out


def away(model: torch.nn.Module) -> torch.nn.Module:
    """A model whose weights lie on the device."""
    for module in model.modules():
        for named in (module._parameters, module._buffers):
            for name, tensor in named.items():
                if tensor is not None:
                    own = Apart(tensor.detach())
                    is_weight = isinstance(tensor, torch.nn.Parameter)
                    named[name] = torch.nn.Parameter(own, tensor.requires_grad) if is_weight else own  # type: ignore[assignment]
    if hasattr(model, "tie_weights"):
        model.tie_weights()
    return model


@contextmanager
def watched() -> Iterator[torch.device]:
    """Within it the device is there."""
    with _Watched(), _Made():
        yield APART
