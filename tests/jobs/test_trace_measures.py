"""What a trace says of every checkpoint and of the run, against independent computations."""

from __future__ import annotations

import copy
import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import kendalltau

from fpcheck.core.errors import UsageError
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.jobs.trace import trace
from fpcheck.jobs.trace.trends import kendall, trends

CLOSE = 1e-9  # relative: figures are printed with 12 digits


def problem(rows: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """Three clouds of points in the plane."""
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 3, rows)
    centres = np.array([[2.0, 0.0], [-1.0, 1.7], [-1.0, -1.7]])
    return centres[labels] + 0.5 * rng.standard_normal((rows, 2)), labels


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five checkpoints of a network that PyTorch trained on the clouds."""
    folder = tmp_path_factory.mktemp("run")
    x, y = problem()
    np.savez(folder.parent / "clouds.npz", X=x, y=y)
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Linear(2, 16), torch.nn.Tanh(), torch.nn.Linear(16, 3)
    ).double()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.3)
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)
    for step in range(41):
        loss = torch.nn.functional.cross_entropy(model(inputs), targets)
        if step % 10 == 0:
            torch.save({"model": model.state_dict(), "step": step}, folder / f"at_{step}.pt")
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return folder


@pytest.fixture(scope="module")
def document(run: Path) -> dict:
    return trace(run, activation="tanh", data=run.parent / "clouds.npz")


def state(run: Path, step: int) -> dict[str, torch.Tensor]:
    return torch.load(run / f"at_{step}.pt", weights_only=True)["model"]


def test_loss_and_accuracy_are_pytorchs(run: Path, document: dict) -> None:
    x, y = problem()
    for one in document["checkpoints"]:
        own = state(run, one["step"])
        hidden = torch.tanh(torch.from_numpy(x) @ own["0.weight"].T + own["0.bias"])
        outputs = hidden @ own["2.weight"].T + own["2.bias"]
        loss = torch.nn.functional.cross_entropy(outputs, torch.from_numpy(y))
        assert one["loss"] == pytest.approx(float(loss), rel=CLOSE)
        right = float((outputs.argmax(1).numpy() == y).mean())
        assert one["accuracy"] == pytest.approx(right, rel=CLOSE)


def test_spectra_norms_and_distances_are_numpys(run: Path, document: dict) -> None:
    vectors = []
    for one in document["checkpoints"]:
        own = state(run, one["step"])
        vectors.append(np.concatenate([t.numpy().ravel() for t in own.values()]))
        values = np.linalg.svd(own["0.weight"].numpy(), compute_uv=False)
        layer = one["layers"][0]
        assert layer["singular_values"] == pytest.approx(values, rel=CLOSE)
        assert layer["ratio"] == pytest.approx(values[0] / values[1], rel=CLOSE)
        assert layer["rest"] == pytest.approx(1 - values[0] ** 2 / (values**2).sum(), rel=1e-7)
        assert one["parameter_norm"] == pytest.approx(np.linalg.norm(vectors[-1]), rel=CLOSE)
        away = np.linalg.norm(vectors[-1] - vectors[0])
        assert one["distance"]["from_first"] == pytest.approx(away, rel=CLOSE)
    steps = [np.linalg.norm(b - a) for a, b in itertools.pairwise(vectors)]
    assert document["checkpoints"][-1]["distance"]["path"] == pytest.approx(sum(steps), rel=CLOSE)


def test_the_signal_is_the_pre_activations_second_moment(run: Path, document: dict) -> None:
    x, _ = problem()
    own = state(run, 40)
    before = x @ own["0.weight"].numpy().T + own["0.bias"].numpy()
    layer = document["checkpoints"][-1]["signal"]["layers"][0]
    assert layer["q"] == pytest.approx((before**2).mean(), rel=CLOSE)
    assert layer["variance"] == pytest.approx(before.var(), rel=CLOSE)


def test_the_readout_sees_what_can_be_told_apart(document: dict) -> None:
    for one in document["checkpoints"]:
        for layer in one["readout"]["layers"]:
            assert layer["low"] <= layer["score"] <= layer["high"]
            assert layer["score"] > 0.8  # three clouds four spreads apart


def test_the_loss_falls_and_the_verdict_passes(document: dict) -> None:
    loss = document["trends"]["loss"]
    assert loss["best_at"] == 4
    assert loss["escape"] is None
    assert document["verdict"] == "pass"
    json.dumps(document, allow_nan=False)


def test_no_number_depends_on_the_threads(run: Path, document: dict) -> None:
    for threads in (1, 3):
        again = trace(
            run,
            activation="tanh",
            data=run.parent / "clouds.npz",
            settings=Settings(threads=threads),
        )
        assert json.dumps(again) == json.dumps(document)


def test_a_resumed_trace_is_the_same_to_the_byte(
    run: Path, document: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[str] = []
    flags = {"activation": "tanh", "data": run.parent / "clouds.npz"}
    trace(run, **flags, partial=lambda part: saved.append(json.dumps(part)))
    assert [len(json.loads(one)["checkpoints"]) for one in saved] == [1, 2, 3, 4, 5]
    measured = []
    import fpcheck.jobs.trace.run as job

    real = job.measure_one
    monkeypatch.setattr(
        job, "measure_one", lambda one, *a: measured.append(one.name) or real(one, *a)
    )
    resumed = trace(run, **flags, resume=json.loads(saved[2]))
    assert measured == ["at_30.pt", "at_40.pt"]
    assert json.dumps(resumed) == json.dumps(document)


def test_points_are_resumed_to_the_byte(tmp_path: Path) -> None:
    for i, a in enumerate((0.5, 1.3, 1.6)):
        np.savez(tmp_path / f"step_{i}.npz", **{"fc.weight": [[a]], "fc.bias": [0.01]})
    whole = trace(tmp_path, output_activation="tanh")
    resumed = trace(tmp_path, output_activation="tanh", resume=json.loads(json.dumps(whole)))
    assert json.dumps(resumed) == json.dumps(whole)


def test_other_settings_resume_nothing_and_say_so(run: Path, document: dict) -> None:
    other = trace(run, activation="relu", resume=document)
    assert any("nothing is resumed" in note for note in other["run"]["notes"])
    with pytest.raises(UsageError, match="no trace"):
        trace(run, activation="tanh", resume={"schema": "fpcheck/report/1"})


def test_weights_that_are_not_finite_are_an_error(run: Path, tmp_path: Path) -> None:
    for step in (0, 10, 20, 30):
        own = {name: tensor.numpy() for name, tensor in state(run, step).items()}
        if step >= 20:
            own["2.bias" if step == 30 else "2.weight"].flat[0] = math.nan
        np.savez(tmp_path / f"step_{step}.npz", **own)
    document = trace(tmp_path, activation="tanh", data=run.parent / "clouds.npz")
    bad = document["checkpoints"][2]
    assert bad["layers"][1]["nonfinite"] == 1
    assert bad["loss"] is None
    assert bad["parameter_norm"] is None
    assert bad["distance"]["from_first"] is None
    assert "NaN" in bad["signal"]["skipped"]
    failed = {one["code"] for one in document["findings"] if one["outcome"] == "fail"}
    assert {"FP502", "FP511"} <= failed
    assert document["verdict"] == "fail"
    json.dumps(document, allow_nan=False)


def test_a_stopped_monitor_stops_the_trace(run: Path) -> None:
    monitor = Monitor()
    monitor.stop.set()
    with pytest.raises(KeyboardInterrupt):
        trace(run, activation="tanh", monitor=monitor)


def test_kendalls_tau_is_scipys() -> None:
    rng = np.random.default_rng(2)
    for n in (5, 12, 30):
        values = rng.standard_normal(n).round(1)
        tau, low, high, _ = kendall(values)
        assert tau == pytest.approx(kendalltau(np.arange(n), values).statistic, abs=1e-12)
        assert low <= tau <= high
    assert kendall([1.0, 1.0, 1.0])[3] == 1.0


def test_tails_that_grow_heavy_are_found_and_others_are_not(tmp_path: Path) -> None:
    """Student's t with ever fewer degrees of freedom beside a normal law that only moves."""
    rng = np.random.default_rng(3)
    for i, freedom in enumerate((30.0, 12.0, 6.0, 4.0, 3.0, 2.2, 1.8, 1.5)):
        np.savez(
            tmp_path / f"step_{i}.npz",
            **{
                "0.weight": rng.standard_t(freedom, (80, 80)),
                "1.weight": rng.standard_normal((80, 80)),
            },
        )
    document = trace(tmp_path)
    heavy, steady = document["trends"]["tails"]
    assert heavy["direction"] == "heavier"
    assert steady["direction"] == "no trend"
    finding = next(one for one in document["findings"] if one["code"] == "FP507")
    assert finding["outcome"] == "fail"
    assert finding["where"] == heavy["layer"]


def test_a_plateau_and_its_escape_are_dated(document: dict) -> None:
    entries = []
    for i in range(20):
        one = copy.deepcopy(document["checkpoints"][0])
        one["step"], one["loss"] = 100 * i, 1.1 if i < 8 else 1.1 * 0.7 ** (i - 7)
        entries.append(one)
    loss = trends(entries, 1.0986)["loss"]
    assert loss["escape"] == 8
    assert loss["plateau_share"] == pytest.approx(8 / 19, abs=1e-5)


def test_tails_that_grow_but_stay_light_are_no_finding(tmp_path: Path) -> None:
    """From a uniform law to a normal one the index falls from about 130 to about 10."""
    rng = np.random.default_rng(4)
    uniform, normal = rng.uniform(-1.7, 1.7, (80, 80)), rng.standard_normal((80, 80))
    for i in range(8):
        mixed = uniform * (1.0 - i / 7.0) + normal * (i / 7.0)
        np.savez(tmp_path / f"step_{i}.npz", **{"0.weight": mixed, "1.weight": uniform})
    document = trace(tmp_path)
    finding = next(one for one in document["findings"] if one["code"] == "FP507")
    assert finding["outcome"] == "pass"


@pytest.mark.parametrize(("name", "escapes"), [("small", True), ("standard", False)])
def test_only_the_run_from_small_weights_escapes_along_one_direction(
    name: str, escapes: bool
) -> None:
    folder = Path(__file__).parents[2] / "samples" / f"run_{name}_init"
    document = trace(folder, activation="relu", data=folder.parent / "digits.npz")
    outcomes = {one["code"]: one["outcome"] for one in document["findings"]}
    dominant = document["trends"]["dominant"]
    if not escapes:
        assert "skipped" in dominant
        assert outcomes["FP503"] == "pass"
        assert outcomes["FP504"] == "skipped"
        return
    assert outcomes["FP503"] == outcomes["FP504"] == "fail"
    assert dominant["clearest"] == document["run"]["layers"][-1]["name"]
    assert document["trends"]["loss"]["escape"] <= dominant["checkpoint"]
    assert document["verdict"] == "warn"


DAMAGES = {
    "settings": lambda one: one.update(settings=None),
    "an entry": lambda one: one["checkpoints"].__setitem__(0, 1),
    "a hash": lambda one: one["checkpoints"][0].update(sha256=[1]),
    "a layer": lambda one: one["checkpoints"][0]["layers"][0].update(singular_values="x"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_trace_is_not_resumed(run: Path, document: dict, damage: Callable) -> None:
    broken = copy.deepcopy(document)
    damage(broken)
    with pytest.raises(UsageError, match="damaged"):
        trace(run, activation="tanh", data=run.parent / "clouds.npz", resume=broken)


def test_an_entry_of_another_shape_is_measured_again(run: Path, document: dict) -> None:
    broken = copy.deepcopy(document)
    broken["checkpoints"][1]["layers"].pop()
    resumed = trace(run, activation="tanh", data=run.parent / "clouds.npz", resume=broken)
    assert json.dumps(resumed) == json.dumps(document)


def test_another_version_of_the_program_resumes_nothing(run: Path, document: dict) -> None:
    older = {**document, "fpcheck": "0.0.1"}
    resumed = trace(run, activation="tanh", data=run.parent / "clouds.npz", resume=older)
    assert "other fpcheck" in resumed["run"]["notes"][-1]


def test_large_weights_are_not_taken_for_infinite_ones(tmp_path: Path) -> None:
    np.savez(tmp_path / "step_1.npz", **{"fc.weight": np.full((3, 4), 1e200)})
    document = trace(tmp_path)
    assert document["checkpoints"][0]["parameter_norm"] == pytest.approx(1e200 * math.sqrt(12.0))
    assert [one["outcome"] for one in document["findings"] if one["code"] == "FP511"] == ["pass"]


def test_two_checkpoints_alike_are_no_plateau(document: dict) -> None:
    entries = []
    for at, loss in enumerate((1.10, 1.09, 0.9, 0.6, 0.4, 0.3, 0.25, 0.2, 0.17, 0.15, 0.13, 0.12)):
        entries.append(copy.deepcopy(document["checkpoints"][0]) | {"loss": loss, "step": 10 * at})
    assert trends(entries, 1.1)["loss"]["plateau"] is None
    flat = copy.deepcopy(entries[0]) | {"step": -10}
    told = trends([flat, *entries], 1.1)["loss"]
    assert (told["plateau"], told["escape"]) == ([0, 2], 3)
