"""The stage between the judge and a target: a program of its own, run as `python -I -S stage.py CONFIG`.

It takes rights away from itself, says on standard output what it achieved, starts the target and waits for it. In a
PID namespace it is process 1: the target and whatever it leaves running in the background end with it. Every step
may be refused by the machine; what was refused is missing from the line it says, and from the report.

The system calls are those of Linux (mount(2), prctl(2), mount_setattr(2)); ctypes reaches them without a compiler.
"""

import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

try:
    import resource
except ImportError:  # Windows, where nothing of this is started
    resource = None  # type: ignore[assignment]

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC = 1, 2, 4, 8, 4096, 16384
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 4, 24, 36, 38
MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE, MOUNT_ATTR_RDONLY = 442, -100, 0x8000, 1
PUBLIC = ("/tmp", "/var/tmp", "/dev/shm", "/run")  # where other programs leave files and listen on sockets
SCRATCH = "size=64m,mode=700"

Config = dict[str, Any]
LINUX = sys.platform == "linux"
libc = ctypes.CDLL(None, use_errno=True) if LINUX else None


def call(name: str, *arguments: object) -> int:
    """Call a function of the C library; raise OSError where it returns -1."""
    assert libc is not None
    result: int = getattr(libc, name)(*arguments)
    if result == -1:
        raise OSError(ctypes.get_errno(), name)
    return result


def prctl(option: int, value: int) -> None:
    """prctl(2) with one argument."""
    call("prctl", *(ctypes.c_ulong(n) for n in (option, value, 0, 0, 0)))


def mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    """mount(2)."""
    words = [None if word is None else os.fsencode(word) for word in (source, target, kind)]
    call("mount", *words, ctypes.c_ulong(flags), None if data is None else data.encode())


# --- in the namespaces, before the target starts: each function does one thing, or raises OSError


def own_proc(config: Config) -> None:
    """Show only the processes of this namespace under /proc."""
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)


def no_more_namespaces(config: Config) -> None:
    """Allow no user namespace below this one: in a new one the target would have all rights again."""
    with open("/proc/sys/user/max_user_namespaces", "w", encoding="ascii") as setting:
        setting.write("0")


def read_only(config: Config) -> None:
    """Make every mounted file system read-only."""
    attributes = (ctypes.c_uint64 * 4)(MOUNT_ATTR_RDONLY, 0, 0, 0)
    arguments = (ctypes.c_long(AT_FDCWD), b"/", ctypes.c_long(AT_RECURSIVE), attributes, ctypes.c_size_t(32))
    call("syscall", ctypes.c_long(MOUNT_SETATTR), *arguments)


def private_folders(config: Config) -> None:
    """Put empty folders over those that all programs share, and what the target needs from there back in its place."""
    for public in (p for p in PUBLIC if os.path.isdir(p) and not os.path.islink(p)):
        inside = [k for k in config["keep"] if k.startswith(public + "/") and os.path.exists(k)]
        if public in config["keep"]:
            continue
        opened = [(k, os.path.isdir(k), os.open(k, os.O_PATH)) for k in sorted(inside)]
        mount("tmpfs", public, "tmpfs", MS_NOSUID | MS_NODEV, SCRATCH)
        for kept, is_folder, descriptor in opened:
            if is_folder:
                os.makedirs(kept, exist_ok=True)
            else:
                os.makedirs(os.path.dirname(kept), exist_ok=True)
                with suppress(FileExistsError):
                    os.close(os.open(kept, os.O_CREAT | os.O_EXCL))
            mount(f"/proc/self/fd/{descriptor}", kept, None, MS_BIND | MS_REC)
            os.close(descriptor)
    mount("tmpfs", config["home"], "tmpfs", MS_NOSUID | MS_NODEV, SCRATCH)


def hide(config: Config) -> None:
    """Put nothing in the place of the judge, the right implementations and the stored answers."""
    for path in (p for p in config["hidden"] if os.path.exists(p)):
        if os.path.isdir(path):
            mount("tmpfs", path, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=4k")
        else:
            mount("/dev/null", path, None, MS_BIND)


STEPS = (own_proc, no_more_namespaces, read_only, private_folders, hide)


def prepare(config: Config) -> list[str]:
    """Take every step that the machine allows, and return the names of those taken."""
    taken = ["namespaces"] if config["namespaces"] else []
    for step in STEPS if config["namespaces"] else ():
        if attempt(partial(step, config)):
            taken.append(step.__name__)
    if LINUX:
        attempt(partial(prctl, PR_SET_DUMPABLE, 0))
        attempt(partial(prctl, PR_SET_CHILD_SUBREAPER, 1))
        signal.signal(signal.SIGTERM, leave)
        attempt(partial(prctl, PR_SET_PDEATHSIG, signal.SIGKILL if config["namespaces"] else signal.SIGTERM))
    return taken + [name for name in ("memory", "file") if attempt(partial(limit, name, config[name]))]


def attempt(step: Callable[[], None]) -> bool:
    """Take a step, and tell whether the machine allowed it."""
    try:
        step()
    except (OSError, ValueError, AttributeError):
        return False
    return True


def limit(name: str, most: int) -> None:
    """Bound this process and its children to come.

    RLIMIT_DATA counts what can be written to, RLIMIT_AS all that is reserved, and some engines reserve gigabytes.
    """
    if name == "memory" and not LINUX:
        raise OSError("only Linux counts RLIMIT_DATA as memory")
    kind = resource.RLIMIT_DATA if name == "memory" else resource.RLIMIT_FSIZE
    resource.setrlimit(kind, (most, most))


# --- the target


def become(config: Config) -> None:
    """Turn this process into the target, without rights to gain."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if LINUX:
        if config["namespaces"]:
            for capability in range(64):
                attempt(partial(prctl, PR_CAPBSET_DROP, capability))
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.chdir(config["cwd"])
    os.execvp(config["command"][0], config["command"])


def main() -> None:
    """Prepare, say how far that went, start the target, wait for its end, take everything it left along."""
    config = json.loads(sys.argv[1])
    os.write(1, json.dumps({"protections": prepare(config)}).encode() + b"\n")
    target = os.fork()
    if target == 0:
        try:
            become(config)
        except BaseException as error:
            os.write(2, f"{config['command'][0]}: {error}\n".encode())
        os._exit(127)
    os.closerange(0, 2)
    while True:
        ended, status = os.wait()
        if ended == target:
            break
    end_what_is_left()
    code = os.waitstatus_to_exitcode(status)
    os._exit(128 - code if code < 0 else code)


def end_what_is_left() -> None:
    """End the target and what it left running: a process whose parent has ended is a child of this one now."""
    while LINUX:
        for entry in filter(str.isdigit, os.listdir("/proc")):
            with suppress(OSError), open(f"/proc/{entry}/stat", encoding="latin-1") as file:
                if int(file.read().rpartition(")")[2].split()[1]) == os.getpid():
                    os.kill(int(entry), signal.SIGKILL)
        try:
            os.wait()
        except ChildProcessError:
            return


def leave(*_signal: object) -> None:
    """Go with the judge, who has ended, and take the target along."""
    end_what_is_left()
    os._exit(1)


if __name__ == "__main__":
    main()
