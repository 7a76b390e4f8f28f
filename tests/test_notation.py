"""docs/notation.md says what the code does: every name, shape and setting in its tables is compared with the code."""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest

from numpy_impl.init import init_params
from numpy_impl.model import loss_and_grads
from numpy_impl.validate import BPTT_MODES, NONLINEARITIES, REDUCTIONS
from rnncheck.trace import ORDER

PAGE = Path(__file__).resolve().parent.parent / "docs" / "notation.md"
SIZES = {"T": 6, "B": 2, "I": 5, "H": 3, "V": 7}
Table = dict[str, dict[str, str]]


def tables(page: str) -> dict[str, Table]:
    """Read each section's table: rows by their `code` column, cells by the name of their column."""
    found: dict[str, Table] = {}
    for section in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        lines = [line for line in section.splitlines() if line.startswith("|")]
        if lines:
            head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
            cells = [dict(zip(head, row, strict=True)) for row in rows]
            found[section.splitlines()[0]] = {row["code"].strip("`"): row for row in cells}
    return found


def shape(cell: str) -> tuple[int, ...]:
    return tuple(SIZES[name] for name in re.findall("[A-Z]", cell))


def quoted(cell: str) -> tuple[str, ...]:
    return tuple(re.findall("`([^`]+)`", cell))


def arrays() -> dict[str, np.ndarray]:
    """One evaluation of the model: every array of the page by its name, all sizes different."""
    T, B, I, H, V = SIZES.values()
    rng = np.random.default_rng(0)
    params = init_params("uniform", I, H, V, rng)
    given = {"x": rng.random((T, B, I)), "y": rng.integers(0, V, (T, B)), "h0": rng.random((B, H))}
    step = loss_and_grads(params, **given)
    found = {"h": step.forward.h, "logits": step.forward.logits, "loss": step.loss, "dlogits": step.dlogits}
    found |= {"dh": step.backward.dh, "da": step.backward.da, "dx": step.backward.dx, "dh0": step.backward.dh0}
    return dict(params) | given | found | dict(step.grads)


def wrong_names_and_shapes(page: str) -> list[str]:
    """Compare both tables of arrays with the arrays themselves, in both directions."""
    listed = tables(page)
    rows = listed["Parameters"] | listed["Nodes"]
    found = arrays()
    wrong = [f"{name} is {'not in the code' if name in rows else 'missing'}" for name in rows.keys() ^ found.keys()]
    for name in rows.keys() & found.keys():
        if shape(rows[name]["shape"]) != found[name].shape:
            wrong.append(f"{name} has shape {rows[name]['shape']} on the page")
    if [name for name in listed["Nodes"] if name in ORDER] != list(ORDER):
        wrong.append("the nodes are not in the order of a Trace")
    return wrong


def wrong_settings(page: str) -> list[str]:
    rows = tables(page)["Settings"]
    options = [p.name for p in inspect.signature(loss_and_grads).parameters.values() if p.kind is p.KEYWORD_ONLY]
    wrong = [f"{name} is no setting, or is missing" for name in set(options) ^ set(rows)]
    for name, values in {"nonlinearity": NONLINEARITIES, "reduction": REDUCTIONS, "bptt": BPTT_MODES}.items():
        if name in rows and quoted(rows[name]["values"]) != values:
            wrong.append(f"{name} has other values")
    return wrong


def wrong_torch_names(page: str) -> list[str]:
    from reference.params import SECOND_BIAS, TORCH_NAMES, to_state_dict

    rows = tables(page)["Parameters"]
    params = {name: array for name, array in arrays().items() if name in TORCH_NAMES}
    state = to_state_dict(params)
    wrong = [] if SECOND_BIAS in page else [f"{SECOND_BIAS} is missing"]
    for name in rows.keys() | TORCH_NAMES.keys():
        torch_name = rows.get(name, {}).get("torch", "").strip("`")
        if torch_name != TORCH_NAMES.get(name):
            wrong.append(f"{name} is {torch_name} on the page")
        elif tuple(state[torch_name].shape) != shape(rows[name]["shape"]):
            wrong.append(f"{torch_name} has another shape")
    return wrong


def test_names_and_shapes_are_those_of_the_code():
    assert wrong_names_and_shapes(PAGE.read_text("utf-8")) == []


def test_settings_are_those_of_the_code():
    assert wrong_settings(PAGE.read_text("utf-8")) == []


def test_torch_names_are_those_of_the_oracle():
    pytest.importorskip("torch")
    assert wrong_torch_names(PAGE.read_text("utf-8")) == []


def test_sizes_are_all_there():
    assert list(tables(PAGE.read_text("utf-8"))["Sizes"]) == list(SIZES)


@pytest.mark.parametrize(
    ("check", "old", "new", "complaint"),
    [
        (wrong_names_and_shapes, "`W_xh` |", "`W_hx` |", "W_xh is missing"),
        (wrong_names_and_shapes, "`rnn.weight_ih_l0` | `(H, I)`", "`rnn.weight_ih_l0` | `(I, H)`", "W_xh has shape"),
        (wrong_names_and_shapes, "| `dh` |", "| `dh_t` |", "dh_t is not in the code"),
        (wrong_names_and_shapes, "| `dlogits` |", "| `dh` |", "dlogits is missing"),
        (wrong_settings, "| `bptt` |", "| `truncation` |", "truncation is no setting"),
        (wrong_settings, "`tanh`, `relu`", "`tanh`, `sigmoid`", "nonlinearity has other values"),
        (wrong_torch_names, "| `rnn.bias_ih_l0` |", "| `rnn.bias_hh_l0` |", "b_h is rnn.bias_hh_l0 on the page"),
        (wrong_torch_names, "`readout.weight` | `(V, H)`", "`readout.weight` | `(H, V)`", "readout.weight has another"),
    ],
)
def test_a_wrong_page_is_caught(check, old, new, complaint):
    if check is wrong_torch_names:
        pytest.importorskip("torch")
    page = PAGE.read_text("utf-8")
    assert old in page
    complaints = check(page.replace(old, new, 1))
    assert any(c.startswith(complaint) for c in complaints), complaints


def test_nodes_out_of_order_are_caught():
    page = PAGE.read_text("utf-8")
    one, other = (next(line for line in page.splitlines() if f"| `{n}` |" in line) for n in ("dh", "da"))
    swapped = page.replace(one, "?").replace(other, one).replace("?", other, 1)
    assert wrong_names_and_shapes(swapped) == ["the nodes are not in the order of a Trace"]
