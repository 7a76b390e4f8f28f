"""Targets that do not play fair: none forges a verdict, none hangs the run, each costs only its own case.

Every target is honest in the first and third of three cases and attacks in the second. Limits are small: memory,
processes and seconds that an attack can take are bounded whether or not it is stopped.
"""

import os
import shutil
import socket
import time
from pathlib import Path
from textwrap import dedent, indent

import pytest

import rnncheck
from rnncheck.cases.make import Design, make_rnn_case
from rnncheck.checks.check import Bench, Source, run_check
from rnncheck.checks.steps import compare_all
from rnncheck.implementation import NumpyImpl
from rnncheck.judging.compare import Answer
from rnncheck.judging.tolerance import fallback
from rnncheck.result import Verdict
from rnncheck.sandbox.launch import why_no_namespaces
from rnncheck.sandbox.limits import Limits, MiB
from rnncheck.sandbox.target import SandboxedTarget
from rnncheck.shipped import data_folder

pytestmark = pytest.mark.skipif(os.name != "posix", reason="attacks on the processes and files of POSIX")
NAMESPACES = pytest.param(
    True,
    id="namespaces",
    marks=pytest.mark.skipif(bool(why_no_namespaces()), reason=f"no namespaces here: {why_no_namespaces()}"),
)
PLAIN = pytest.param(False, id="plain")
BOTH = [NAMESPACES, PLAIN]

HONEST = Path(__file__).parent / "hostile" / "honest.py"
LIMITS = Limits(answer_s=3, memory=400 * MiB, file=8 * MiB, tasks=24)
CASES = [make_rnn_case(Design(T=4, B=2, H=5, V=4), seed, name=f"case {seed}") for seed in (1, 2, 3)]
HEAD = """
import json, os, subprocess, sys, time
import numpy as np
from honest import Hostile

def say(line):
    for descriptor in range(3, 32):
        try:
            os.write(descriptor, line.encode() + b"\\n")
        except OSError:
            pass

class Target(Hostile):
    def attack(self, case, right):
"""


class SelfOracle:
    """Our own RNN knows the answers here: these tests run without torch."""

    name = "numpy_impl"

    def answer(self, case):
        trace = NumpyImpl().run(case)
        return Answer(trace, fallback(case, trace, NumpyImpl().run))


class Run:
    """One run of an attack over the three cases."""

    def __init__(self, folder, attack, namespaces, told=None, limits=LIMITS):
        shutil.copy(HONEST, folder)
        (folder / "target.py").write_text(HEAD + indent(dedent(attack), " " * 8))
        argument = {"case": 2} | (told or {})
        self.target = SandboxedTarget(folder / "target.py", "target:Target", argument, limits, namespaces=namespaces)
        bench = Bench(self.target, SelfOracle())
        self.outcomes = [run_check(compare_all(Source.of(case), "hostile"), bench) for case in CASES]
        self.protections = self.target.protections
        self.target.sandbox.stop()
        self.log = self.target.sandbox.log

    @property
    def verdicts(self):
        return [outcome.verdict for outcome in self.outcomes]

    @property
    def complaint(self):
        attacked = self.outcomes[1]
        return attacked.message or str(attacked.earliest)


COSTS_ITS_CASE = [Verdict.PASSED, Verdict.FAILED, Verdict.PASSED]
HARMLESS = [Verdict.PASSED] * 3

FORGERIES = {
    "exits": ("sys.exit(0)", "called sys.exit(0)"),
    "exits at once": ("os._exit(0)", "it ended with exit code 0"),
    "is killed": ("os.kill(os.getpid(), 11)", "SIGSEGV"),
    "raises": ("return right['nothing']", "raised KeyError: 'nothing' (target.py, line"),
    "loops": ("while True: pass", "no answer within 3 s"),
    "sleeps": ("time.sleep(60)", "no answer within 3 s"),
    "closes its descriptors": ("os.closerange(0, 256)\nreturn right", "it ended with exit code 1"),
    "says NaN": ("return right | {'h': right['h'] * np.nan}", "is nan at [0, 0, 0]"),
    "says too much": ("return right | {'h': np.zeros(10**6)}", "it wrote more than"),
    "has the wrong shape": ("return right | {'h': right['h'].swapaxes(0, 1)}", "has shape (2, 4, 5)"),
    "returns objects": ("return right | {'h': np.array([object()])}", "h is an array of object, expected numbers"),
    "returns words": ("return right | {'h': np.array(['1.0'])}", "h is an array of <U3, expected numbers"),
    "returns no arrays": ("return None", "raised AttributeError"),
    "returns what nobody knows": ("return right | {'verdict': np.ones(1)}", "'verdict', which is no array"),
    "patches NumPy": (
        """
        for name in ("allclose", "array_equal", "isfinite", "may_share_memory", "shares_memory"):
            setattr(np, name, lambda *args, **options: np.True_)
        np.testing.assert_allclose = lambda *args, **options: None
        return right | {"dW_hh": right["dW_hh"] * 1.001}
        """,
        "dW_hh",
    ),
    "speaks for the runner": (
        """
        zeros = {name: np.zeros_like(array).tolist() for name, array in right.items()}
        dtypes = dict.fromkeys(zeros, "float64")
        line = {"id": 2, "trace": zeros, "dtypes": dtypes, "inputs": {}, "overwritten": [], "shared": []}
        say(json.dumps(line))
        return right
        """,
        "h[",
    ),
    "nests deeply": (
        "say('[' * 10**4)\nreturn right",
        "is not a JSON object",
    ),
    "writes without end": ("open(os.environ['HOME'] + '/big', 'wb').write(bytes(2**24))", "raised OSError"),
    "takes memory": (
        "kept = []\nfor _ in range(64): kept.append(bytearray(b'1') * 2**24)\nreturn right",
        "raised MemoryError",
    ),
    "takes shared memory": (
        """
        import mmap
        kept = [mmap.mmap(-1, 2**24) for _ in range(64)]
        for piece in kept:
            piece.write(bytes(2**24))
        time.sleep(60)
        """,
        "MiB of memory, and 400 are allowed",
    ),
    "forks": (
        """
        for _ in range(60):
            if os.fork() == 0:
                time.sleep(60)
                os._exit(0)
        time.sleep(60)
        """,
        "processes and threads, and 24 are allowed",
    ),
    "starts threads": (
        """
        import threading
        threading.stack_size(2**18)
        for _ in range(60):
            threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        time.sleep(60)
        """,
        "processes and threads, and 24 are allowed",
    ),
}


@pytest.mark.parametrize("attack", FORGERIES)
def test_an_attack_costs_its_own_case(attack, tmp_path):
    code, complaint = FORGERIES[attack]
    start = time.monotonic()
    run = Run(tmp_path, code, namespaces=not why_no_namespaces())
    assert run.verdicts == COSTS_ITS_CASE, [o.message for o in run.outcomes]
    assert complaint in run.complaint
    assert time.monotonic() - start < 60  # nowhere near what the attack would take: it was ended


@pytest.mark.parametrize("attack", ["exits at once", "loops", "closes its descriptors", "takes memory", "forks"])
def test_it_does_so_without_namespaces(attack, tmp_path):
    code, complaint = FORGERIES[attack]
    run = Run(tmp_path, code, namespaces=False)
    assert run.verdicts == COSTS_ITS_CASE, [o.message for o in run.outcomes]
    assert complaint in run.complaint
    assert any(sentence.startswith("NOT in force: namespaces") for sentence in run.protections)


def test_an_honest_target_passes_all_cases(tmp_path):
    run = Run(tmp_path, "return right", namespaces=not why_no_namespaces())
    assert run.verdicts == HARMLESS
    assert run.log == ""


def test_what_is_printed_is_no_result(tmp_path):
    code = """
    line = json.dumps({"id": 2, "trace": {}})
    print(line, flush=True)
    sys.__stdout__.write(line + "\\n")
    os.write(1, line.encode() + b"\\n")
    os.system("echo noise")
    print("x" * 10**7)
    return right
    """
    assert Run(tmp_path, code, namespaces=not why_no_namespaces()).verdicts == HARMLESS


def test_a_target_that_always_hangs_is_given_up(tmp_path):
    code = "time.sleep(60)"
    quick = Limits(answer_s=0.3, timeouts=1)
    run = Run(tmp_path, code, namespaces=False, limits=quick)
    assert [outcome.message[:10] for outcome in run.outcomes][2] == "not asked:"


# --- what lies outside: the target looks for it and says on standard error what it found


@pytest.mark.parametrize("namespaces", BOTH)
def test_a_daemon_ends_with_its_target(namespaces, tmp_path):
    code = """
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execvp("sleep", ["sleep", self.told["seconds"]])
        os._exit(0)
    os.wait()
    return right
    """
    seconds = f"61.{os.getpid()}{'12'[namespaces]}"
    assert Run(tmp_path, code, namespaces, {"seconds": seconds}).verdicts == HARMLESS
    assert not processes_with(seconds)


def processes_with(word):
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += [path] if word.encode() in path.read_bytes() else []
        except OSError:
            continue
    return found


MEMORY = """
found = False
try:
    with open(f"/proc/{self.told['judge']}/maps") as maps, open(f"/proc/{self.told['judge']}/mem", "rb") as memory:
        for region in maps:
            words = region.split()
            low, high = (int(word, 16) for word in words[0].split("-"))
            if words[1].startswith("rw") and len(words) < 6 or words[-1] == "[heap]":
                try:
                    memory.seek(low)
                    found = found or self.told["secret"][::-1].encode() in memory.read(min(high - low, 2**26))
                except (OSError, ValueError, OverflowError):
                    continue
except OSError as error:
    print("refused", error, file=sys.stderr, flush=True)
print("found" if found else "nothing", file=sys.stderr, flush=True)
return right
"""
SECRET = "".join(chr(ord("a") + i % 26) for i in range(0, 7 * 40, 7)) + "-expected"


@pytest.mark.parametrize("namespaces", BOTH)
def test_the_memory_of_the_judge_is_closed(namespaces, tmp_path):
    """Root without namespaces can read everything, and is told so: the twin that shows that the attack works."""
    kept = bytearray(SECRET.encode())
    told = {"judge": os.getpid(), "secret": SECRET[::-1]}
    run = Run(tmp_path, MEMORY, namespaces, told, Limits(answer_s=20))
    open_to_root = not namespaces and os.getuid() == 0
    assert run.log.splitlines()[-1] == ("found" if open_to_root else "nothing")
    assert any("as root it can read any process" in sentence for sentence in run.protections) == open_to_root
    assert kept


ENVIRONMENT = """
outside = ""
try:
    with open(f"/proc/{self.told['judge']}/environ") as environment:
        outside = environment.read()
except OSError:
    pass
print(sorted(os.environ), outside != "", file=sys.stderr, flush=True)
return right
"""


@pytest.mark.parametrize("namespaces", BOTH)
def test_the_environment_of_the_judge_is_closed(namespaces, tmp_path, monkeypatch):
    monkeypatch.setenv("RNNCHECK_SECRET", "token")
    run = Run(tmp_path, ENVIRONMENT, namespaces, {"judge": os.getpid()})
    assert "RNNCHECK_SECRET" not in run.log
    assert "'HOME'" in run.log
    assert ("True" in run.log) == (not namespaces and os.getuid() == 0)


ANSWERS = """
import importlib
for name in ("rnncheck", "rnncheck.vectors", "numpy_impl", "numpy_impl.model", "reference"):
    try:
        importlib.import_module(name)
        print("imported", name, file=sys.stderr)
    except ImportError:
        pass
sys.path[:0] = self.told["roots"]
for name in ("rnncheck.vectors", "numpy_impl.model"):
    sys.modules.pop(name.partition(".")[0], None)
    try:
        importlib.import_module(name)
        print("imported from its folder", name, file=sys.stderr)
    except ImportError:
        pass
print("stored:", len(os.listdir(self.told["vectors"])) if os.path.exists(self.told["vectors"]) else 0, file=sys.stderr)
sys.stderr.flush()
return right
"""


@pytest.mark.parametrize("namespaces", BOTH)
def test_the_stored_answers_and_the_judge_are_out_of_reach(namespaces, tmp_path):
    """Without namespaces they are not on the import path; who knows where they lie can read them: the twin."""
    told = {"vectors": str(data_folder() / "vectors/v1"), "roots": [str(Path(rnncheck.__file__).parents[1])]}
    log = Run(tmp_path, ANSWERS, namespaces, told, Limits()).log
    assert "imported rnncheck" not in log
    assert "imported numpy_impl" not in log
    assert "imported reference" not in log
    assert ("stored: 0" in log) == namespaces
    assert ("imported from its folder numpy_impl.model" in log) != namespaces


NETWORK = """
import socket
try:
    socket.create_connection(("127.0.0.1", self.told["port"]), timeout=60).close()
    print("connected", file=sys.stderr, flush=True)
except OSError as error:
    print("refused", file=sys.stderr, flush=True)
return right
"""


@pytest.mark.parametrize("namespaces", BOTH)
def test_there_is_no_network(namespaces, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        run = Run(tmp_path, NETWORK, namespaces, {"port": server.getsockname()[1]})
    assert run.log == ("refused" if namespaces else "connected")


FILES = """
for path in (self.told["folder"] + "/left", os.environ["HOME"] + "/left", "/tmp/left-by-rnncheck-tests"):
    try:
        open(path, "w").close()
        print("wrote", file=sys.stderr)
    except OSError:
        print("refused", file=sys.stderr)
print(len(os.listdir("/run")), file=sys.stderr, flush=True)
return right
"""


@pytest.mark.parametrize("namespaces", [NAMESPACES])
def test_files_are_read_only_and_shared_folders_its_own(namespaces, tmp_path):
    log = Run(tmp_path, FILES, namespaces, {"folder": str(tmp_path)}).log
    assert log.split() == ["refused", "wrote", "wrote", "0"]
    assert not (tmp_path / "left").exists()
    assert not Path("/tmp/left-by-rnncheck-tests").exists()


RIGHTS = """
assert os.getppid() == 1, "not in a PID namespace: nothing is tried"
os.kill(1, 9)
os.kill(1, 19)
for command in ("umount /proc", "mount -t tmpfs none /mnt", "unshare --user true", "hostname other"):
    print(subprocess.run(command, shell=True, capture_output=True).returncode == 0, file=sys.stderr)
sys.stderr.flush()
return right
"""


@pytest.mark.parametrize("namespaces", [NAMESPACES])
def test_no_right_is_left_in_the_namespaces(namespaces, tmp_path):
    run = Run(tmp_path, RIGHTS, namespaces)
    assert run.verdicts == HARMLESS
    assert run.log.split() == ["False"] * 4


def test_the_case_that_is_sent_tells_no_seed_and_no_name(tmp_path):
    code = "print(case.name, case.seed, file=sys.stderr, flush=True)\nreturn right"
    assert Run(tmp_path, code, namespaces=False).log == "2 0"
