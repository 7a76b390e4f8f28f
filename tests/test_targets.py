"""Loading somebody's file: its imports, definitions and plain constants, and nothing else of it."""

import json
import signal
import textwrap
import time

import numpy as np
import pytest

from rnncheck import target
from rnncheck.errors import UserError
from rnncheck.target import split_target
from rnncheck.targets.layout import give, take
from rnncheck.targets.load import load
from rnncheck.targets.patience import at_most
from rnncheck.targets.python2 import parse
from rnncheck.targets.roles import argument_role, gated, gradient_of, parameter_role, remembered, size_role
from rnncheck.targets.source import read_source


@pytest.fixture
def loaded(tmp_path):
    """Return a function that writes a file and loads it."""

    def write_and_load(text, name="target.py", V=6, **override):
        path = tmp_path / name
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return load(read_source(path), override, V)

    return write_and_load


def test_a_training_loop_is_never_run(loaded):
    module = loaded(
        """
        import numpy as np
        trained = []
        def train(): trained.append(1)
        while True:
            train()
        for i in range(3): train()
        losses = train()
        train()
        """
    )
    assert module.trained == []
    assert "losses" in module.skipped


def test_a_function_that_is_called_does_run(loaded):
    """The twin: what was defined works."""
    module = loaded("trained = []\ndef train(): trained.append(1)\ntrain()")
    module.train()
    assert module.trained == [1]


def test_what_a_file_opens_has_as_many_characters_as_the_case_needs(loaded):
    module = loaded(
        """
        data = open('input.txt', 'r').read()
        with open('other.txt') as file:
            other = file.read()
        chars = list(set(data))
        data_size, vocab_size = len(data), len(chars)
        to_ix = {c: i for i, c in enumerate(chars)}
        """,
        V=9,
    )
    assert module.vocab_size == 9
    assert len(set(module.other)) == 9
    assert sorted(module.to_ix.values()) == list(range(9))


def test_sizes_are_overridden_before_shapes_are_made_of_them(loaded):
    module = loaded(
        """
        import numpy as np
        hidden_size = 100
        W = np.random.randn(hidden_size, 2 * hidden_size)
        """,
        hidden_size=7,
    )
    assert module.W.shape == (7, 14)


def test_a_missing_import_fails_only_when_it_is_used(loaded):
    module = loaded(
        """
        import no_such_library.deep as deep
        from no_such_library import jit, Base
        @jit
        def f(x): return x + 1
        class Net(Base):
            def g(self): return deep.thing(1)
        """
    )
    assert module.f(1) == 2
    with pytest.raises(
        ImportError, match=r"no_such_library\.deep\.thing is used, and no_such_library is not installed"
    ):
        module.Net().g()


def test_a_file_beside_it_is_loaded_by_the_same_rules(loaded, tmp_path):
    (tmp_path / "extras.py").write_text("def double(x): return 2 * x\nwhile True: pass\n", encoding="utf-8")
    module = loaded("from extras import *\nimport extras\ndef f(x): return double(x) + extras.double(x)")
    assert module.f(3) == 12


def test_a_name_that_was_not_computed_is_explained_with_its_line(loaded):
    module = loaded("import numpy as np\nx = 1\ntable = expensive(x)\n")
    assert module.skipped == {"table": 3}


@pytest.mark.parametrize("read", ["np.load('a.npy')", "expensive()", "np.loadtxt('a')", "Net(3)", "object.run()"])
def test_what_is_not_plain_is_not_evaluated(loaded, read):
    module = loaded(f"import numpy as np\nclass Net:\n    def __init__(self, n): 1 / 0\nvalue = {read}\n")
    assert not hasattr(module, "value")


OLD = """
import numpy as np
print 'starting', 1
if True: print "in line %d" % 3
if True: print 'a # in quotes, %d' % 4 # and one after a single space
def f(n, d=None):
  try:
    total = 0L
    for i in xrange(n):
      total += i
    print >>log, total,
    if n <> 3: raise ValueError, "n is " + `n`
  except ValueError, e:
    print e
    print ("several",
           "lines")
  return total / 2
"""


def test_python_2_is_read(loaded):
    module = loaded(OLD)
    module.print = lambda *args, **options: None
    assert module.f(3) == 1  # 0 + 1 + 2, and the quotient of integers is an integer
    assert parse(OLD, "old.py").python2


def test_python_3_stays_as_it_is(loaded):
    assert loaded("def f(n): return n / 2").f(3) == 1.5


def test_what_is_neither_is_refused_with_its_line():
    with pytest.raises(UserError, match=r"bad\.py, line 2: .*'x = = 1' is neither Python 3 nor Python 2"):
        parse("y = 1\nx = = 1\n", "bad.py")


def test_a_notebook_is_its_code_cells_without_magic(tmp_path):
    cells = [
        {"cell_type": "markdown", "source": ["# Title"]},
        {"cell_type": "code", "source": ["%matplotlib inline\n", "import numpy as np\n", "!ls\n", "help?"]},
        {"cell_type": "code", "source": "%%bash\nrm -r somewhere"},
        {"cell_type": "code", "source": ["%%time\n", "def f():\n", "    return 41 + 1"]},
    ]
    path = tmp_path / "book.ipynb"
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    assert load(read_source(path), {}, 5).f() == 42


def test_what_is_no_notebook_is_refused(tmp_path):
    path = tmp_path / "book.ipynb"
    path.write_text("[1, 2]", encoding="utf-8")
    with pytest.raises(UserError, match=r"is no notebook \(it holds no list of cells\); save it again"):
        read_source(path)
    path.write_text("cells:", encoding="utf-8")
    with pytest.raises(UserError, match=r"is no notebook \(it is not JSON\); save it again"):
        read_source(path)
    path.write_bytes(b"PK" + bytes(range(256)) * 20)
    with pytest.raises(UserError, match=r"is no notebook \(it is not UTF-8 text\); save it again as .ipynb$"):
        read_source(path)


def test_what_is_no_text_is_not_shown_as_a_line(tmp_path):
    path = tmp_path / "rnn.py"
    path.write_bytes(bytes(range(256)) * 20)
    with pytest.raises(UserError, match=r"^rnn.py: has null bytes, so it is no text; give the file"):
        read_source(path)
    path.write_bytes(b"x = " + b"(" * 5000)
    with pytest.raises(UserError, match=r"^rnn.py, line 1: .*correct the line$") as error:
        read_source(path)
    assert len(str(error.value)) < 300


CLIPS = """
import numpy as np
def by_value(g):
    np.clip(g, -1, 1, out=g)
    return g
def by_method(g): return g.clip(-1, 1)
def clip_all(grads, bound): return [np.minimum(g, bound) for g in grads]
def by_norm(g):
    norm = np.linalg.norm(g)
    if norm > 1: g = g / norm
    return g
def safe_log(p): return np.log(np.clip(p, 1e-3, 1))
"""


@pytest.mark.parametrize("name", ["by_value", "by_method", "by_norm"])
def test_clipping_of_gradients_has_a_switch(loaded, name):
    module, g = loaded(CLIPS), np.array([3.0, -4.0])
    clip = getattr(module, name)
    assert clip(g.copy()).tolist() == [3.0, -4.0]
    assert module.clipping.used
    module.clipping.on = True
    assert abs(clip(g.copy())).max() <= 1


def test_a_function_named_after_clipping_is_switched_too(loaded):
    module, g = loaded(CLIPS), [np.array([3.0])]
    assert module.clip_all(g, 1.0)[0] == 3.0
    module.clipping.on = True
    assert module.clip_all(g, 1.0)[0] == 1.0


def test_clipping_that_guards_a_logarithm_stays(loaded):
    assert loaded(CLIPS).safe_log(np.array(0.0)) == np.log(1e-3)


@pytest.mark.parametrize(
    ("name", "role"),
    [
        *[("inputs", "x"), ("X", "x"), ("targets", "y"), ("hprev", "h0"), ("a0", "h0"), ("h_prev", "h0")],
        *[("dout", "upstream"), ("da", "upstream"), ("parameters", "params"), ("caches", "cache"), ("Wxh", "W_xh")],
        *[("learn_rate", "lr"), ("vocab_size", "V"), ("bptt_truncate", "k"), ("inputs_list", "x"), ("nonsense", None)],
    ],
)
def test_arguments_have_roles(name, role):
    assert argument_role(name) == role


@pytest.mark.parametrize(
    ("name", "role"),
    [
        *[("rnn.params['W_ax']", "W_xh"), ("U", "W_xh"), ("W1", "W_xh"), ("file.Whh", "W_hh"), ("W", "W_hh")],
        *[("rnn.V", "W_hy"), ("rnn.bh", "b_h"), ("b_y", "b_y"), ("alpha", None)],
    ],
)
def test_parameters_have_roles(name, role):
    assert parameter_role(name) == role


def test_gradients_memories_and_gates_are_told_apart():
    assert [gradient_of(n) for n in ("dWxh", "dLdU", "grad_b", "W_grad", "decoder", "Wxh")] == [
        "Wxh",
        "U",
        "b",
        "W",
    ] + [None] * 2
    assert [remembered(n) for n in ("mWxh", "rnn.mem_Whh", "Wxh", "memory")] == [True, True, False, False]
    assert gated(["rnn.Wf", "rnn.Wi", "rnn.Wo"])
    assert gated(["W_z", "W_r", "W_h"])
    assert not gated(["Wxh", "Whh", "Why"])
    assert size_role("hidden_dim") == "H"


@pytest.mark.parametrize("layout", ["T B N", "B T N", "N B T", "T N B"])
def test_layouts_are_undone(layout):
    array = np.random.default_rng(0).normal(size=(3, 2, 5))
    given = give(array, "T B N", layout)
    assert given.shape == tuple({"T": 3, "B": 2, "N": 5}[a] for a in layout.split())
    assert np.array_equal(take(given, "T B N", layout, {"T": 3, "B": 2, "N": 5}), array)


def test_layouts_of_one_sequence_and_of_the_last_step():
    array, sizes = np.arange(15.0).reshape(3, 1, 5), {"T": 3, "B": 1, "N": 5}
    assert give(array, "T B N", "T N 1").shape == (3, 5, 1)
    assert give(array, "T B N", "N 1").tolist() == [[10], [11], [12], [13], [14]]
    assert give(np.array([[4], [5]]), "T B", "[T]") == [4, 5]
    assert give(np.array([[4], [5]]), "T B", "") == 5
    states = {-1: np.zeros((5, 1))} | {t: array[t].T for t in range(3)}
    assert np.array_equal(take(states, "T B N", "T N 1", sizes), array)


def test_what_has_another_shape_is_left_for_the_judge():
    assert take(np.zeros(4), "T B N", "T N", {"T": 3, "B": 1, "N": 5}).shape == (4,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("missing.py", "missing.py does not exist"),
        (":Name", "nothing before the colon"),
        ("no_such_module_at_all:Name", "'no_such_module_at_all' was not found as Python source"),
        ("tests/targets", "tests/targets is a folder: .* or judge them all: rnncheck grade tests/targets"),
        ("tests", "tests is a folder"),
        (".", r"\. is a folder"),
        ("/dev/null", "/dev/null is no regular file"),
        ("numpy_imp", "'numpy_imp' was not found .*, or did you mean numpy_impl?"),
    ],
)
def test_a_target_that_is_not_there(text, message):
    with pytest.raises(UserError, match=message):
        split_target(text)


def test_a_target_has_a_file_and_perhaps_a_name(tmp_path):
    path = tmp_path / "net.py"
    path.write_text("")
    assert split_target(f"{path}:Net") == (path, "Net")
    assert split_target(str(path)) == (path, None)
    assert split_target("json.decoder:JSONDecoder")[1] == "JSONDecoder"
    assert split_target("rnncheck")[0].parts[-2:] == ("rnncheck", "__init__.py")  # a folder here, and a package


def test_the_reference_needs_torch(monkeypatch):
    """It was: each of 510 checks ended in `No module named 'torch'`, and the verdict was that they differ."""
    monkeypatch.setattr(target, "torch_available", lambda: False)
    with pytest.raises(UserError, match="torch is not installed, and reference is written in it"):
        target.load_target("reference")


def work_for_ever():
    while True:
        pass


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="timers as POSIX has them")
def test_patience_counts_work_and_not_the_clock():
    """A busy machine stretches the clock; what a file is read as must not depend on that."""
    with at_most(0.2):
        time.sleep(0.4)
    with pytest.raises(TimeoutError, match=r"within 0\.2 s"), at_most(0.2):
        work_for_ever()
    with pytest.raises(TimeoutError), at_most(0.02):
        time.sleep(30)


ROUND = """
import numpy as np
W, seen = np.eye(3), 0
for epoch in range(10):
    total = 0
    for x, y in zip(data, labels):
        h, out = np.zeros(3), []
        for t in range(len(x)):
            h = W @ h + x[t]
            out.append(h)
        for t in reversed(range(len(x))):
            W -= np.outer(out[t] - y[t], h)
        total += 1
        seen += 1
        if seen > 5: break
"""


def test_a_round_of_a_loop_at_the_top_becomes_a_function(loaded):
    module = loaded(ROUND)
    assert np.array_equal(module.W, np.eye(3)), "the loop itself is not run"
    returned = module.one_round(np.ones((2, 3)), np.zeros((2, 3)))
    assert (returned["h"] == 2).all()
    assert not np.array_equal(module.W, np.eye(3)), "it works on the weights of the file"
    assert module.seen == 1


def test_the_state_that_a_round_begins_with_is_an_argument_if_it_can_be(loaded):
    apart = ROUND.replace("h, out = np.zeros(3), []", "h = np.zeros(3); out = []")
    returned = loaded(apart).one_round(np.ones((2, 3)), np.zeros((2, 3)), np.ones(3))
    assert (returned["h"] == 3).all()


def test_a_file_with_a_function_that_trains_keeps_its_loop_to_itself(loaded):
    module = loaded(ROUND + "def train(x): pass\n")
    assert not hasattr(module, "one_round")


def test_a_loop_without_targets_is_no_round(loaded):
    assert not hasattr(loaded(ROUND.replace("y[t]", "1")), "one_round")
