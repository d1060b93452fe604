"""Outputs whose classes are numbered in another order than the data's."""

from pathlib import Path

import numpy as np
import pytest

from fpcheck.jobs.trace import trace
from fpcheck.jobs.trace.classes import share_in_another_order


def one_hot(answers, classes):
    return np.eye(classes)[answers]


def test_two_classes_the_wrong_way_round():
    labels = np.arange(100) % 2
    answers = 1 - labels
    answers[:5] = labels[:5]
    assert share_in_another_order(one_hot(answers, 2), labels) == 0.95


@pytest.mark.parametrize("classes", [3, 5, 10])
def test_any_order_is_found(classes):
    rng = np.random.default_rng(classes)
    labels = rng.integers(0, classes, 400)
    order = np.roll(np.arange(classes), 1)
    answers = order[labels]
    wrong = rng.random(400) < 0.1
    answers[wrong] = rng.integers(0, classes, wrong.sum())
    share = share_in_another_order(one_hot(answers, classes), labels)
    assert share == pytest.approx(np.mean(answers == order[labels]))


def test_outputs_in_their_order_are_left_alone():
    labels = np.arange(300) % 3
    assert share_in_another_order(one_hot(labels, 3), labels) is None


def test_outputs_that_know_nothing_are_left_alone():
    rng = np.random.default_rng(0)
    for _ in range(200):
        labels = rng.integers(0, 4, 30)
        answers = rng.integers(0, 4, 30)
        assert share_in_another_order(one_hot(answers, 4), labels) is None


def test_an_answer_that_is_always_the_same_is_left_alone():
    labels = (np.arange(100) < 80).astype(int)
    assert share_in_another_order(one_hot(np.zeros(100, int), 2), labels) is None


def test_a_single_logit_is_two_classes():
    labels = (np.arange(90) % 3 > 0).astype(int)
    assert share_in_another_order(1.0 - 2.0 * labels[:, None], labels) == 1.0
    assert share_in_another_order(2.0 * labels[:, None] - 1.0, labels) is None
    assert share_in_another_order(-np.ones((90, 1)), labels) is None


def test_the_loss_in_another_order_is_not_judged(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(120, 2))
    y = (x[:, 0] > 0).astype(int)
    run = tmp_path / "run"
    run.mkdir()
    for step in range(5):  # class 1 grows along the first input
        weights = np.array([[-1.0, 0.0], [1.0, 0.0]]) * 3.0 * step
        np.savez(run / f"step_{step}.npz", **{"fc.weight": weights})
    found = {}
    for name, texts in {"as trained": ["a", "b"], "turned": ["b", "a"]}.items():
        table = np.column_stack([x.astype(str), np.array(texts)[y]])
        file = tmp_path / f"{name}.csv"
        file.write_text("u,v,kind\n" + "\n".join(",".join(row) for row in table) + "\n")
        found[name] = trace(run, data=file, target="kind")
    last = found["turned"]["checkpoints"][-1]
    assert (last["accuracy"], last["accuracy_in_another_order"]) == (0.0, 1.0)
    skipped = {
        one["code"] for one in found["turned"]["findings"] if "another order" in one["message"]
    }
    assert skipped == {"FP502", "FP503", "FP504"}
    assert "another order" in found["turned"]["summary"]["answer"]
    assert found["as trained"]["checkpoints"][-1]["accuracy_in_another_order"] is None
    assert "another order" not in str(found["as trained"]["findings"])
