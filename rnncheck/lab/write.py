"""Write an exercise: the template with one fault planted, or with its backward pass left out."""

import random
from pathlib import Path

from rnncheck.errors import UserError
from rnncheck.faults import get
from rnncheck.lab.plants import PLANTS

__all__ = ["blank", "drawn", "exercise", "write"]

TEMPLATE = Path(__file__).with_name("template.py")
STUB = Path(__file__).with_name("stub.py")

TASK = '''"""Exercise: one mistake of those that people make was planted in this network. Find it and mend it.

`python {file}` runs your own check, at the end of this file; it is too weak as it stands.
`rnncheck lab --grade {file}` asks the judge which array is wrong first; with `--hint` it says the likely cause too.
`rnncheck faults` lists the catalogue, when you have a suspicion.
'''

BLANK = '''"""Exercise: the backward pass of this network is yours to write.

`rnncheck lab --grade {file}` grades it in levels, from the loss to long sequences; with `--hint` it says the
likely cause of what is wrong.
`python {file}` runs your own check, at the end of this file.
'''

LEFT_OUT = '''    def loss_backward(self, y: np.ndarray) -> np.ndarray:
        """Return dlogits = p - onehot(y), p being the softmax of the logits."""
        raise NotImplementedError("level 3: the gradient of the loss")

    def backward(self, y: np.ndarray) -> dict[str, np.ndarray]:
        """Return the gradient of the loss with respect to every array, under `d` + its name, in its shape.

        Return what you have: {"dlogits": dlogits} passes level 3.
        """
        dlogits = self.loss_backward(y)
        # Level 4, through the readout: dW_hy, db_y. Every step adds its share.
        # Level 5, one step back: dh (what reaches h[t + 1]), da (through tanh), dW_xh, dW_hh, db_h, dh0.
        # Level 6, through time: h[t + 1] is read by step t + 1 as well. From the last step to the first.
        return {"dlogits": dlogits}
'''


def exercise(fault: str, file: str = "exercise.py") -> str:
    """Return the program with `fault` planted.

    Raises
    ------
    UserError
        If there is no such fault, or it is none of a plain network.
    """
    get(fault)
    if fault not in PLANTS:
        raise UserError(
            f"fault {fault}: it does not fit into the exercise, a plain network on token ids; "
            "`rnncheck lab --list` names those that do, `rnncheck explain` shows all"
        )
    program = TEMPLATE.read_text(encoding="utf-8")
    for right, wrong in PLANTS[fault]:
        assert program.count(right) == 1, (fault, right)
        program = program.replace(right, wrong)
    return _with_head(program, TASK.format(file=file)) + _stub()


def blank(file: str = "exercise.py") -> str:
    """Return the program without its backward pass."""
    program = TEMPLATE.read_text(encoding="utf-8")
    kept = program[: program.index("    def loss_backward")]
    return _with_head(kept, BLANK.format(file=file)) + LEFT_OUT + _stub()


def drawn(seed: int) -> str:
    """Draw a fault that can be planted."""
    return random.Random(seed).choice(list(PLANTS))


def write(path: Path, text: str) -> None:
    """Write the exercise, never over something that is there: it may be half solved."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise UserError(f"{path}: exists already, and may be somebody's work; choose another --output") from error


def _with_head(program: str, head: str) -> str:
    """Put the task in front of what the template says about itself."""
    return head + program[program.index("\n\n") + 1 :]


def _stub() -> str:
    text = STUB.read_text(encoding="utf-8")
    return "\n\n" + text[text.index("def numerical_gradient") :]
