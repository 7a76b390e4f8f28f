"""More styles in which people write, read as they are: each sample is right, and is wrong once a line of it is changed.

What is expected of a changed sample comes from the mistake: the array that it reaches first, and from which T.
"""

import re
from pathlib import Path

import pytest

from rnncheck.check import check_rnn
from rnncheck.errors import UserError
from rnncheck.target import load_target

STYLES = Path(__file__).parent / "targets" / "styles"
MISTAKES = {
    "gradients_in_globals": [
        ("carry = W.T.dot(g)", "carry = W.dot(g)", 2, "dW_xh"),
        ("gb += g\n", "gb = g\n", 2, "db_h"),
    ],
    "numbered_globals": [
        ("G2 += d @ hs[t].T", "G2 += d @ hs[t + 1].T", 1, "dW_hh"),
        ("GB1 += d\n", "GB1 = d\n", 2, "db_h"),
    ],
    "keys_of_a_dict": [
        ("dnext = p['hh'].T @ da", "dnext = p['hh'] @ da", 2, "dW_xh"),
        ("da @ hs[t - 1].T", "da @ hs[t].T", 1, "dW_hh"),
    ],
    "coursera_week1": [
        ("dba += dbat", "dba = dbat", 2, "db_h"),
        ("(1 - a_next ** 2) * da_next", "(1 - np.tanh(a_next) ** 2) * da_next", 1, "dW_xh"),
    ],
    "text_class": [
        ("dhnext = self.Whh.T @ dhraw", "dhnext = self.Whh @ dhraw", 2, "dW_xh"),
        ("dbh += dhraw", "dbh = dhraw", 2, "db_h"),
    ],
    "text_functions": [
        ("dhnext = Whh.T @ draw", "dhnext = Whh @ draw", 2, "dW_xh"),
        ("dWhh += draw @ hs[t - 1].T", "dWhh += draw @ hs[t].T", 1, "dW_hh"),
    ],
    "python2": [
        ("dhnext = np.dot(model['Whh'].T, da)", "dhnext = np.dot(model['Whh'], da)", 2, "dW_xh"),
        ("grads['bh'] += da", "grads['bh'] = da", 2, "db_h"),
    ],
    "holders_in_one": [
        ("return np.dot(p.W_h.v.T, da)", "return np.dot(p.W_h.v, da)", 2, "dW_xh"),
        ("p.b_h.d += da", "p.b_h.d = da", 2, "db_h"),
    ],
    "holders_apart": [
        ("dnext = Whh.data.T @ da", "dnext = Whh.data @ da", 2, "dW_xh"),
        ("bh.grad += da", "bh.grad = da", 2, "db_h"),
    ],
    "lists_class": [
        ("dhn[j] += self.Whh[i][j] * da[i]", "dhn[i] += self.Whh[i][j] * da[j]", 2, "dW_xh"),
        ("dWhh[i][j] += da[i] * prev[j]", "dWhh[i][j] += da[i] * h[j]", 1, "dW_hh"),
    ],
    "lists_globals": [
        ("nxt = [sum(W[i][j] * da[i]", "nxt = [sum(W[j][i] * da[i]", 2, "dW_xh"),
        ("dbh[i] += da[i]", "dbh[i] = da[i]", 2, "db_h"),
    ],
    "lists_of_columns": [
        ("later = matmul(transpose(self.U), g)", "later = matmul(self.U, g)", 2, "dW_xh"),
        ("self.db = add(self.db, g)", "self.db = g", 2, "db_h"),
    ],
    "state_gradient_returned": [
        ("return dh / T", "return dh", 2, "dh0"),
        ("self.dbh += da", "self.dbh = da", 2, "db_h"),
    ],
    "squared_error_at_once": [
        ("(self.o - y) ** 2", "(self.o - y) ** 3", 1, "loss"),
        ("0.5 * np.sum", "np.sum", 1, "dW_hy"),
    ],
    "layer_objects": [
        ('["dLdA_accumulator"] = dZ @ Waa.T', '["dLdA_accumulator"] = dZ @ Waa', 2, "dW_xh"),
        ("As[t].T @ dZ", "As[t + 1].T @ dZ", 1, "dW_hh"),
    ],
    "tensor_layers": [
        ("(1.0 - (Y ** 2)) * output_grad", "(1.0 - Y) ** 2 * output_grad", 1, "dW_xh"),
        ("gWSum += gW", "gWSum = gW", 2, "dW_hh"),
    ],
    "flat_theta": [
        ("later = Whh.T.dot(da)", "later = Whh.dot(da)", 2, "dW_xh"),
        ("bh_grad += da", "bh_grad = da", 2, "db_h"),
    ],
    "flat_attribute": [
        ("dn = Wh.T @ da", "dn = Wh @ da", 2, "dW_xh"),
        ("np.outer(da, h[t])", "np.outer(da, h[t + 1])", 1, "dW_hh"),
    ],
    "closures": [
        ("dh = params['Wh'].T @ da", "dh = params['Wh'] @ da", 2, "dW_xh"),
        ("grads['bh'] += da", "grads['bh'] = da", 2, "db_h"),
    ],
    "hinted": [
        ("carry = da @ p.w_rec.T", "carry = da @ p.w_rec", 2, "dW_xh"),
        ("g.b_rec += da.sum(axis=0)", "g.b_rec = da.sum(axis=0)", 2, "db_h"),
    ],
    "length_of_any_name": [
        ("back = Wh.T.dot(da)", "back = Wh.dot(da)", 2, "dW_xh"),
        ("np.outer(da, h[i])", "np.outer(da, h[i + 1])", 1, "dW_hh"),
    ],
    "loss_of_outputs": [
        ("return -sum(", "return -3 * sum(", 1, "loss"),
        ("for t in range(len(targets)))", "for t in range(1, len(targets)))", 1, "loss"),
    ],
    "loss_of_targets": [
        ("- z[y[t]]", "- z[y[t - 1]]", 2, "loss"),
        ("return total / len(y)", "return total / 2", 1, "loss"),
    ],
    "loss_with_gradient": [
        (
            "return -log_p[b, t, y].mean(), dlogits / y.size",
            "return -log_p[b, t, y].mean(), dlogits / len(y)",
            2,
            "dW_hy",
        ),
        ("dlogits[b, t, y] -= 1", "dlogits[b, t, y] -= 0.5", 1, "dW_hy"),
    ],
    "momentum": [
        ("dh = self.W_hh.T @ da", "dh = self.W_hh @ da", 2, "dW_xh"),
        ("self.W_hh @ hs[-1] + self.b_h", "self.b_h", 2, "loss"),  # its gradients are judged after that
    ],
}


def check(path):
    return check_rnn(load_target(str(path), isolated=False), select="not T=40")


def test_every_sample_is_tested():
    assert {p.stem for p in STYLES.glob("*.py")} == set(MISTAKES)


@pytest.mark.parametrize("style", MISTAKES)
def test_a_right_sample_agrees(style):
    report = check(STYLES / f"{style}.py")
    assert report.exit_code == 0, report.failures


@pytest.mark.parametrize("style", MISTAKES)
@pytest.mark.parametrize("which", [0, 1])
def test_a_changed_sample_differs_where_its_mistake_is(style, which, tmp_path):
    text = (STYLES / f"{style}.py").read_text("utf-8")
    right, wrong, length, array = MISTAKES[style][which]
    assert text.count(right) == 1
    changed = tmp_path / "network.py"
    changed.write_text(text.replace(right, wrong), "utf-8")
    report = check(changed)
    assert report.exit_code == 1
    first = report.failures[0][0]
    assert first.earliest.array == array, first.comparisons
    assert int(re.search(r"T=(\d+)", first.check)[1]) == length


def test_what_is_shown_beside_a_squared_error_is_no_wrong_loss(tmp_path):
    text = (STYLES / "squared_error_at_once.py").read_text("utf-8")
    for shown in ("np.sqrt(np.mean((self.o - y) ** 2))", "np.abs(self.o - y).mean()"):
        network = tmp_path / "network.py"
        network.write_text(text.replace("0.5 * np.sum((self.o - y) ** 2)", shown), "utf-8")
        target = load_target(str(network), isolated=False)
        assert "its loss is not judged" in target.assumed
        assert check_rnn(target, select="not T=40").exit_code == 0


def test_a_step_that_is_not_linear_in_the_gradient_is_not_judged(tmp_path):
    """Of Adam's first step only the signs of the gradients could be read: neither right nor wrong can be said."""
    text = (STYLES / "momentum.py").read_text("utf-8")
    step = "self.velocity[k] = self.momentum * self.velocity[k] - self.lr * g"
    adam = (
        "self.v[k] = 0.999 * self.v[k] + 0.001 * g * g; self.m[k] = 0.9 * self.m[k] + 0.1 * g\n"
        "            self.velocity[k] = -self.lr * self.m[k] / (np.sqrt(self.v[k]) + 1e-8)"
    )
    memories = "self.m, self.v = ({k: np.zeros_like(a) for k, a in self.velocity.items()} for _ in range(2))"
    assert text.count(step) == 1
    network = tmp_path / "network.py"
    text = text.replace(step, adam).replace("    def train_on", f"        {memories}\n    def train_on")
    network.write_text(text, "utf-8")
    with pytest.raises(UserError, match=r"an optimiser that remembers more .* \(Adam\?\); return them"):
        load_target(str(network), isolated=False)


def test_a_refusal_says_which_line_of_an_adapter_would_help(tmp_path):
    text = (STYLES / "closures.py").read_text("utf-8")
    network = tmp_path / "network.py"
    network.write_text(text.replace("return params, forward, backward", "return forward, backward"), "utf-8")
    with pytest.raises(UserError, match=r"function make_rnn could not be called: .* line params=\{\"W_xh\": \.\.\.\}"):
        load_target(str(network), isolated=False)
    network.write_text(text.replace("for x in xs:", "for x in xs.columns():"), "utf-8")
    with pytest.raises(UserError, match=r"it raised AttributeError: .* line calls=\['out = rnn.forward\(x, h0\)"):
        load_target(str(network), isolated=False)


def test_a_step_with_a_decay_of_the_weights_is_neither_right_nor_wrong(tmp_path):
    """A rate that decays is set anew before every call."""
    text = (STYLES / "momentum.py").read_text("utf-8")
    text = text.replace("self.velocity[k] = self.momentum * self.velocity[k] - self.lr * g\n", "step = self.lr * g\n")
    text = text.replace("+ self.velocity[k])", "- step)").replace("        return loss", "        self.lr *= 0.99")
    assert text.count("self.lr * g\n") == text.count("self.lr *= 0.99") == 1
    network = tmp_path / "network.py"
    network.write_text(text, "utf-8")
    report = check(network)
    assert report.exit_code == 0, report.failures
    network.write_text(text.replace("self.lr * g\n", "self.lr * (g + 1e-4 * getattr(self, k))\n"), "utf-8")
    with pytest.raises(UserError, match=r"\(a rate or weights that decay\?\)"):
        load_target(str(network), isolated=False)


NO_CROSS_ENTROPY = {
    "a penalty on the weights": ("return -sum(", "return 1e-3 * np.sum(self.W**2) - sum("),
    "a perplexity": ("return -sum(", "return np.exp(1 / len(targets)) ** -sum("),
    "bits": ("np.log(ps", "np.log2(ps"),
    "hits": ("np.log(ps[t][targets[t], 0])", "ps[t].argmax() == targets[t]"),
    "what spoils the outputs": ("return -sum(", "ps[0][0] += 1; return -sum("),
    "a crash": ("return -sum(", "return self.rate * -sum("),
}


@pytest.mark.parametrize("what", NO_CROSS_ENTROPY)
def test_a_loss_that_is_no_cross_entropy_is_neither_right_nor_wrong(what, tmp_path):
    text = (STYLES / "loss_of_outputs.py").read_text("utf-8")
    right, other = NO_CROSS_ENTROPY[what]
    assert text.count(right) == 1
    network = tmp_path / "network.py"
    network.write_text(text.replace(right, other), "utf-8")
    target = load_target(str(network), isolated=False)
    assert "not called, so not judged: CharRNN.loss" in target.assumed
    assert check_rnn(target, select="T=3").exit_code == 0


def test_a_loss_that_is_called_cost_is_named_too(tmp_path):
    """It could be called, and was not told where it could not."""
    text = (STYLES / "loss_of_outputs.py").read_text("utf-8").replace("np.log(ps", "np.log2(ps")
    network = tmp_path / "network.py"
    network.write_text(re.sub(r"\bloss\(", "cost(", text), "utf-8")
    assert "not called, so not judged: CharRNN.cost" in load_target(str(network), isolated=False).assumed


def test_a_loss_of_another_reduction_than_the_gradients_is_named(tmp_path):
    text = (STYLES / "loss_of_targets.py").read_text("utf-8")
    network = tmp_path / "network.py"
    network.write_text(text.replace("            dz /= len(y)\n", ""), "utf-8")
    target = load_target(str(network), isolated=False)
    assert "loss as mean over time;" in target.assumed
    assert target.assumed.endswith("gradients returned, those of the sum")
    assert check_rnn(target, select="T=3").exit_code == 0


def test_a_gradient_that_is_divided_on_its_way_has_a_scale_of_its_own(tmp_path):
    """What `cross_entropy` returns is of the sum, beside a mean; the file divides it before the backward pass."""
    text = (STYLES / "loss_with_gradient.py").read_text("utf-8")
    network = tmp_path / "network.py"
    unscaled = text.replace("dlogits / y.size", "dlogits")
    network.write_text(unscaled, "utf-8")
    assert check_rnn(load_target(str(network), isolated=False), select="T=3").exit_code == 1
    network.write_text(
        unscaled.replace("backward(params, cache, dlogits).", "backward(params, cache, dlogits / y.size)."), "utf-8"
    )
    assert check_rnn(load_target(str(network), isolated=False), select="T=3").exit_code == 0


def test_a_wrong_loss_beside_its_right_gradient_is_the_only_wrong_array(tmp_path):
    text = (STYLES / "loss_with_gradient.py").read_text("utf-8")
    network = tmp_path / "network.py"
    network.write_text(text.replace("return -log_p", "return -3 * log_p"), "utf-8")
    report = check_rnn(load_target(str(network), isolated=False), select="T=3")
    assert {result.earliest.array for result, *_ in report.failures} == {"loss"}
