"""An Adapter says, in a few words, how somebody's code is to be called: names, places, layouts, scales.

Its strings are pieces of Python over a few names, so that whatever a file does can be said:

    file                the file under test, as a module;       rnn     what `make` has made
    T B I H V           the sizes of the case;                  k       how far back the gradient goes
    x y h0              inputs, targets, initial state, in the layouts of `axes`
    dlogits dh          upstream gradients, for code that wants them in place of targets
    lr                  the learning rate, for code that applies its update at once;     np      NumPy
    named(names, made)  an object of what a function has returned, `params, forward, backward`, under these names
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rnncheck.case import Case, RNNCase
from rnncheck.errors import NotShownError
from rnncheck.targets.layout import axes_of

__all__ = ["DIFFERENCE", "NO_CLIPPING", "Adapter"]

DIFFERENCE = "difference"
NO_CLIPPING = 2.0**40
"""The bound that is given to an argument named after clipping."""

NO_TOKEN = -1


@dataclass(frozen=True)
class Adapter:
    """How to call one network.

    Parameters
    ----------
    source
        The file, relative to the adapter's own folder.
    calls
        Statements, in order: `"out = rnn.forward(x)"`, `"grads = rnn.backward(y)"`.
    params
        Where each parameter is kept: `{"W_xh": "rnn.U", "W_hh": "rnn.W.T"}`; a final `.T` says that it is kept
        transposed; `"W_hh|W_xh"` is the concatenation of two, side by side; `"rnn.b1 + rnn.b2"` are two biases that
        are added up. `"h0": "rnn.h"` is an initial state that is kept like a parameter.
    grads
        Where the gradients are after the calls, under the same keys; or the word `difference`: only applied, found
        as the weight difference at learning rate `lr`.
    trace
        Where the other results are: h, logits (or p, the probabilities), loss, dx, dh0.
    axes
        Layouts, see `rnncheck.targets.layout`: of x, y, h0, dlogits, dh, of what `trace` names, and of biases as "b".
    make
        A statement that makes the object: `"rnn = file.RNN(I, H, V)"`.
    sizes
        Values for constants of the file: `{"hidden_size": "H"}`.
    loss_scale, grad_scale
        What to multiply the loss and the gradients by to get those of the loss summed over time and batch: `"T"` if
        it is the mean over time, `"-1"` if gradients are negated.
    targets
        "classes": softmax with cross-entropy; "values", "sigmoid values": half the squared error of real targets,
        summed; "sigmoid cross-entropy".
    task
        "every step", or "last step": only the last step has a loss.
    fixed
        Sizes that the file does not let anybody choose: `{"H": 100}`.
    memory
        Arrays of an optimiser that is part of the call: they are filled so that its step is linear, those of Adagrad
        with a large number; `"rnn.velocity['W'] = 0"`, that of momentum, with zero.
    lr
        The learning rate that is passed where gradients are read: 1 if what is returned is the update.
    widen
        Whether what the file keeps as float32 is to be float64, so that it can be judged to all digits.
    uncalled
        Backward passes and losses of the file that the calls do not reach: nothing is said about them.
    unguard
        Whether tiny numbers that are added against a zero are left out: `log(p + 1e-12)` is judged as `log(p)`.
    """

    source: str
    calls: Sequence[str]
    params: Mapping[str, str]
    grads: Mapping[str, str] | str = field(default_factory=dict)
    trace: Mapping[str, str] = field(default_factory=dict)
    axes: Mapping[str, str] = field(default_factory=dict)
    make: str = ""
    sizes: Mapping[str, str] = field(default_factory=dict)
    nonlinearity: str = "tanh"
    loss_scale: str = "1"
    grad_scale: str = "1"
    targets: str = "classes"
    fixed: Mapping[str, int] = field(default_factory=dict)
    task: str = "every step"
    memory: Sequence[str] = ()
    lr: float = 0.0
    widen: bool = False
    unguard: bool = False
    uncalled: Sequence[str] = ()

    @property
    def roles(self) -> set[str]:
        """The parameters of the case that it knows."""
        return {role for key in self.params for role in key.split("|")}

    @property
    def batched(self) -> bool:
        """Whether it takes a batch; if not, sequences go in one at a time."""
        return "B" in axes_of(self.axes.get("x", ""))

    @property
    def takes_ids(self) -> bool:
        """Whether inputs are ids rather than vectors."""
        return "N" not in axes_of(self.axes.get("x", ""))

    @property
    def takes_h0(self) -> bool:
        """Whether the initial state can be set."""
        return "h0" in self.params or self.mentions("h0")

    @property
    def truncates(self) -> bool:
        """Whether it can be told how far back the gradient goes."""
        return self.mentions("k")

    def mentions(self, name: str) -> bool:
        """Tell whether a call, or what makes the object, uses `name`."""
        text = " ".join([self.make, *self.calls, *self.sizes.values()])
        return re.search(rf"(?<![\w.'\"]){name}(?!\w|\s*=[^=])", text) is not None

    def require(self, case: Case) -> None:
        """Raise NotShownError if `case` asks for what this interface cannot express."""
        if not isinstance(case, RNNCase):
            raise NotShownError(f"a {case.kind} case: only forward and backward passes are asked of an adapter")
        for refused, why in self._refusals(case):
            if refused:
                raise NotShownError(why)

    def _refusals(self, case: RNNCase) -> list[tuple[bool, str]]:
        known = {"b_h", "b_y"}
        biases, own = known & set(case.params), known & self.roles
        if "W_hy" not in self.roles:  # the readout is not its own
            own |= biases & {"b_y"}
        ignored = case.y == case.ignore_index
        last_only = bool(ignored[:-1].all() and not ignored[-1].any())
        return [
            (case.nonlinearity != self.nonlinearity, f"states are {self.nonlinearity}, not {case.nonlinearity}"),
            (biases != own, f"biases are {_list(own)}, the case has {_list(biases)}"),
            (case.h0 is not None and not self.takes_h0, "the initial state cannot be set"),
            (case.reduction != "sum", f"the loss is summed, not {case.reduction}"),
            (case.dloss is not None, "the loss has no upstream gradient"),
            (case.bptt == "chunked", "the gradient cannot be cut into chunks"),
            (case.bptt == "windowed" and not self.truncates, "how far back the gradient goes cannot be set"),
            (self.takes_ids and case.x.ndim == 3, "inputs are ids, not vectors"),
            (self.takes_ids and bool((case.x == NO_TOKEN).any()), "there is no id for 'no token'"),
            (self.task == "every step" and bool(ignored.any()), "every step has a target"),
            (self.task == "last step" and not last_only, "only the last step has a target"),
        ]


def _list(names: set[str]) -> str:
    return " and ".join(sorted(names)) or "none"
