"""A signal to stop is kept until the step is done, and one that the user has switched off stays off."""

import os
import signal

import pytest

from rnncheck.stopping import SIGNALS, Stop

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_the_first_signal_is_noted_and_the_second_ends_the_program(number: signal.Signals) -> None:
    def end(*args: object) -> None:
        raise SystemExit

    before = signal.signal(number, end)
    try:
        with Stop() as stop:
            assert stop.signal is None
            os.kill(os.getpid(), number)
            assert stop.signal == number
            with pytest.raises(SystemExit):
                os.kill(os.getpid(), number)
        assert signal.getsignal(number) is end
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_signal_that_was_ignored_stays_ignored(number: signal.Signals) -> None:
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with Stop() as stop:
            os.kill(os.getpid(), number)
            assert stop.signal is None
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)
