"""Anything that runs a Case: our own RNN in all its forms, and the two PyTorch oracles.

No base class. An implementation has a `name` and a method `run(case) -> Trace`, and raises NotShownError for a case
that it does not offer: inheritance would share bugs and shut other languages out.
"""

from typing import Any, Protocol

import numpy as np

from numpy_impl import unrolled
from numpy_impl.clip import clip_grad_norm, clip_grad_value
from numpy_impl.flat import Flat
from numpy_impl.interactive import RNNModel
from numpy_impl.lean import lean_loss_and_grads
from numpy_impl.model import loss_and_grads
from numpy_impl.optim import SGD, Adagrad
from numpy_impl.packed import packed_loss_and_grads
from numpy_impl.sample import sample
from numpy_impl.workspace import Workspace
from rnncheck.case import Case, ClipCase, OptimCase, RNNCase, SampleCase
from rnncheck.errors import NotShownError
from rnncheck.trace import Trace

__all__ = [
    "Gates",
    "Implementation",
    "Interactive",
    "Lean",
    "NumpyImpl",
    "OtherLayouts",
    "Packed",
    "TorchLoop",
    "TorchModules",
    "rnn_options",
]


class Implementation(Protocol):
    """What the judge asks of whatever it judges."""

    name: str

    def run(self, case: Case) -> Trace:
        """Compute the Trace of `case`; raise NotShownError if cases of its kind are not offered."""
        ...


def rnn_options(case: RNNCase) -> dict[str, Any]:
    """Everything of an RNN case besides parameters, inputs, targets and h0, as keyword arguments."""
    names = ("nonlinearity", "reduction", "ignore_index", "dloss", "bptt", "k")
    return {name: getattr(case, name) for name in names}


class NumpyImpl:
    """Our RNN by hand: `numpy_impl.model`, `clip`, `optim` and `sample`."""

    name = "numpy_impl"

    def run(self, case: Case) -> Trace:
        """Compute the Trace of a case of any kind."""
        if isinstance(case, RNNCase):
            return self._rnn(case)
        if isinstance(case, ClipCase):
            return self._clip(case)
        if isinstance(case, OptimCase):
            return self._optim(case)
        assert isinstance(case, SampleCase)
        return self._sample(case)

    def _rnn(self, case: RNNCase) -> Trace:
        step = loss_and_grads(dict(case.params), case.x, case.y, case.h0, **rnn_options(case))
        nodes = step.backward
        trace = {"h": step.forward.h, "logits": step.forward.logits, "loss": step.loss, "dlogits": step.dlogits}
        trace |= {"dh": nodes.dh, "da": nodes.da, "dh0": nodes.dh0, **nodes.grads}
        return trace if nodes.dx is None else trace | {"dx": nodes.dx}

    def _clip(self, case: ClipCase) -> Trace:
        grads = Flat.pack(case.grads)
        if case.method == "value":
            clipped = clip_grad_value(grads.flat, case.bound)
            return dict(Flat(clipped, {name: g.shape for name, g in case.grads.items()}))
        clipped, norm = clip_grad_norm(grads.flat, case.bound, case.eps)
        return {"total_norm": np.asarray(norm), **Flat(clipped, {name: g.shape for name, g in case.grads.items()})}

    def _optim(self, case: OptimCase) -> Trace:
        optimizer = (
            SGD(case.momentum, case.dampening, case.zero_start)
            if case.method == "sgd"
            else Adagrad(case.eps, case.eps_inside, case.initial_accumulator)
        )
        params = Flat.pack(case.params)
        state = optimizer.init(params.flat)
        if case.buffer is not None:
            buffer = Flat.pack({name: case.buffer[name] for name in case.params}).flat
            state = {"m": buffer} if case.method == "adagrad" else {"v": buffer, "started": np.array(True)}
        trace: dict[str, np.ndarray] = {}
        for s in range(len(next(iter(case.grads.values())))):
            grads = Flat.pack({name: case.grads["d" + name][s] for name in case.params})
            w, state = optimizer.step(params.flat, grads.flat, state, case.lr)
            params = Flat(w, {name: p.shape for name, p in case.params.items()})
            trace |= {f"step{s + 1}.{name}": p for name, p in params.items()}
        return trace

    def _sample(self, case: SampleCase) -> Trace:
        samples = sample(
            dict(case.params),
            case.first,
            case.uniforms,
            case.h0,
            nonlinearity=case.nonlinearity,
            method=case.method,
            temperature=case.temperature,
            top_k=case.top_k,
            top_p=case.top_p,
            stop=case.stop,
        )
        return {"p": samples.p, "tokens": samples.tokens}


class Gates:
    """The same RNN as a graph of gates: `numpy_impl.unrolled`. It has no optimiser and draws no samples."""

    name = "numpy_impl.gates"

    def run(self, case: Case) -> Trace:
        """Compute the Trace of an RNN case."""
        if not isinstance(case, RNNCase):
            raise NotShownError("the graph of gates is a network: it has no clipping, no optimiser, no samples")
        return unrolled.run_rnn(dict(case.params), case.x, case.y, case.h0, **rnn_options(case))


class Lean:
    """The RNN as training runs it: loss and gradients alone, in memory that is used again from call to call."""

    name = "numpy_impl.lean"

    def __init__(self, panels: bool | None = None) -> None:
        self.workspace = Workspace(panels)

    def run(self, case: Case) -> Trace:
        """Compute loss and gradients of an RNN case."""
        if not isinstance(case, RNNCase) or case.reduction == "none" or case.dloss is not None:
            raise NotShownError("a training step has one loss, which is a sum or a mean and starts the way back with 1")
        options = {name: value for name, value in rnn_options(case).items() if name != "dloss"}
        params = Flat.pack(case.params)
        found = lean_loss_and_grads(params, case.x, case.y, case.h0, workspace=self.workspace, **options)
        return {"loss": found.loss, **{name: g.copy() for name, g in found.grads.items()}}


class Packed(Lean):
    """The RNN as training runs batches: each sequence only as far as it has a target, its last one."""

    name = "numpy_impl.packed"

    def run(self, case: Case) -> Trace:
        """Compute loss and gradients of an RNN case; steps after the last target change none of them."""
        if not isinstance(case, RNNCase) or case.reduction == "none" or case.dloss is not None:
            return super().run(case)
        options = {name: value for name, value in rnn_options(case).items() if name != "dloss"}
        steps = np.arange(1, len(case.y) + 1)[:, None]
        lengths = np.maximum(1, (steps * (case.y != case.ignore_index)).max(axis=0))
        params = Flat.pack(case.params)
        found = packed_loss_and_grads(params, case.x, case.y, lengths, case.h0, workspace=self.workspace, **options)
        return {"loss": found.loss, **{name: g.copy() for name, g in found.grads.items()}, "dh0": found.dh0}


class Interactive:
    """The RNN one method per step, as articles have it: `numpy_impl.interactive`."""

    name = "numpy_impl.interactive"

    def run(self, case: Case) -> Trace:
        """Compute loss and gradients of an RNN case."""
        if not isinstance(case, RNNCase) or case.reduction == "none" or case.dloss is not None:
            raise NotShownError("this object trains on one loss, which is a sum or a mean")
        model = RNNModel(
            *(case.sizes[name] for name in "IVH"),
            biases="b_h" in case.params,
            nonlinearity=case.nonlinearity,
            dtype=case.dtype,
        )
        model.params.update(case.params)
        model.forward(case.x, case.h0)
        loss = model.loss(case.y, case.reduction, case.ignore_index)
        return {"loss": np.asarray(loss, case.dtype), **model.backward(case.bptt, case.k)}


class OtherLayouts:
    """Our RNN, given the same numbers otherwise in memory: columns first, with gaps, and ids of another kind."""

    name = "numpy_impl, other layouts"

    def run(self, case: Case) -> Trace:
        """Compute the Trace of a case of any kind."""
        arrays = {name: _with_gaps(array) for name, array in case.arrays().items()}
        return NumpyImpl().run(type(case).from_parts(arrays, case.settings()))


def _with_gaps(array: np.ndarray) -> np.ndarray:
    dtype = np.int32 if array.dtype.kind == "i" else array.dtype
    wide = np.full((*array.shape[::-1], 2), 10**6, dtype)  # what stands in the gaps
    wide[..., 0] = array.T
    return wide[..., 0].T


class TorchLoop:
    """The oracle: `reference.loop` and its neighbours, in float64 whatever the dtype of the case."""

    name = "torch, step by step"

    def run(self, case: Case) -> Trace:
        """Compute the Trace of a case of any kind under autograd."""
        from reference.clip import run_clip
        from reference.loop import run_rnn
        from reference.optim import run_optim
        from reference.sample import run_sample

        options = {name: value for name, value in case.settings().items() if name not in ("name", "seed")}
        if isinstance(case, RNNCase):
            return run_rnn(dict(case.params), case.x, case.y, case.h0, **rnn_options(case))
        if isinstance(case, ClipCase):
            return run_clip(case.grads, **options)
        if isinstance(case, OptimCase):
            return run_optim(case.params, case.grads, buffer=case.buffer, **options)
        assert isinstance(case, SampleCase)
        return run_sample(dict(case.params), case.first, case.uniforms, case.h0, **options)


class TorchModules:
    """The second oracle: `torch.nn.RNN`, `Linear` and `cross_entropy`."""

    name = "torch.nn.RNN"

    def run(self, case: Case) -> Trace:
        """Compute what the modules can show of an RNN case, full or chunked."""
        from reference.modules import run_rnn_modules

        if not isinstance(case, RNNCase) or case.bptt == "windowed":
            raise NotShownError("torch.nn.RNN keeps one graph: windowed BPTT, clipping and sampling lie outside it")
        return run_rnn_modules(case.params, case.x, case.y, case.h0, **rnn_options(case))
