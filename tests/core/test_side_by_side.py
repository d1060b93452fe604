"""Two pieces of work at the same time: the same answer as one after the other."""

import threading

import numpy as np
import pytest

from fpcheck.core.workers import side_by_side


@pytest.mark.parametrize("threads", [1, 2])
def test_both_answers_come_back_in_their_order(threads):
    assert side_by_side(lambda: 1, lambda: "two", threads) == (1, "two")


def test_two_threads_do_run_at_the_same_time():
    meeting = threading.Barrier(2, timeout=30.0)
    first, second = side_by_side(meeting.wait, meeting.wait, 2)
    assert {first, second} == {0, 1}


@pytest.mark.parametrize("threads", [1, 2])
def test_numpys_error_state_reaches_both(threads):
    def overflow() -> float:
        return float(np.float64(1e300) * np.float64(1e300))

    with np.errstate(over="ignore"):
        assert side_by_side(overflow, overflow, threads) == (np.inf, np.inf)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_first_ones_error_is_raised(threads):
    def fails(word: str) -> None:
        raise ValueError(word)

    with pytest.raises(ValueError, match="first"):
        side_by_side(lambda: fails("first"), lambda: fails("second"), threads)
    with pytest.raises(ValueError, match="second"):
        side_by_side(lambda: 1, lambda: fails("second"), threads)
