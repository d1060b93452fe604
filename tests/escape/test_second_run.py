"""Adam tells a plateau on which gradient descent waits from a start without a way out."""

import numpy as np
from probed_networks import classes, mlp

from fpcheck.core.plain import as_section
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.escape.measure import measure
from fpcheck.escape.result import SecondRun, Skipped
from fpcheck.escape.rules import judge


def ask(network, data, **settings):
    return measure(network, data, Settings(**settings), np.random.default_rng(0), Monitor())


def outcome(found, code):
    limits = {
        "max_plateau_share": 0.5, "max_lazy_move": 0.1, "min_lazy_fall": 0.5,
        "min_escape_ratio": 0.5, "max_escape_ratio": 1.5,
    }  # fmt: skip
    return next(one.outcome for one in judge(as_section(found), limits) if one.code == code)


def test_where_adam_starts_gradient_descent_only_waits():
    found = ask(mlp((6, 24, 24, 24, 24, 3), scale=0.3), classes(), probe_steps=150)
    assert isinstance(found.second_run, SecondRun)
    assert found.second_run.answer == "trains"
    assert found.second_run.fall > 0.3
    assert found.trainability == "cannot tell"
    assert "by Adam it falls by" in found.trainability_reason
    assert found.verdict.answer == "waits on a plateau"
    assert outcome(found, "FP501") == "inconclusive"
    assert outcome(found, "FP503") == "fail"


def test_where_adam_does_not_start_either_nothing_does():
    # Forty layers at a third of He's scale: the rows cannot be told apart behind them.
    found = ask(mlp((6, *[16] * 40, 3), scale=0.3), classes(), probe_steps=60)
    assert found.second_run.answer == "does not start"
    assert found.trainability == "does not start"
    assert outcome(found, "FP501") == "fail"


def test_a_second_run_is_made_where_the_first_leaves_the_answer_open_alone():
    trains = ask(mlp((6, 24, 3)), classes(), probe_steps=60)
    assert trains.second_run == Skipped("the first run tells")
    zero = ask(mlp((6, 24, 24, 3), scale=0.0), classes(), probe_steps=30)
    assert zero.second_run.skipped.startswith("nothing can be learnt")
    adam = ask(mlp((6, *[16] * 40, 3), scale=0.3), classes(), probe_steps=30,
               probe_optimiser="adam")  # fmt: skip
    assert adam.second_run == Skipped("the first run is Adam's")
