"""The probe's records against torch.optim and torch.linalg, step by step, in float64."""

import numpy as np
import pytest
from probed_networks import classes, mlp, numbers

from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.core.streams import random_stream
from fpcheck.escape.measure import probe
from fpcheck.escape.rate import MOMENTUM

torch = pytest.importorskip("torch")

RELATIVE = 1e-10  # of each number, over 60 steps: roundings of 1e-16 that training blows up
STEPS = 60
RATES = {"sgd": 0.05, "momentum": 0.02, "adam": 0.01, "norm-adaptive": 0.5}


def torch_run(network, problem, optimiser, rate):
    """Per step: loss, gradient norm, parameter norm, output variance, singular values."""
    weights = [
        torch.tensor(np.array(tensor), requires_grad=True) for tensor in network.parameters.values()
    ]
    depth = len(weights)
    made = {
        "sgd": lambda: torch.optim.SGD(weights, lr=rate),
        "norm-adaptive": lambda: torch.optim.SGD(weights, lr=rate),
        "momentum": lambda: torch.optim.SGD(weights, lr=rate, momentum=MOMENTUM),
        "adam": lambda: torch.optim.Adam(weights, lr=rate),
    }[optimiser]()
    x, y = torch.tensor(problem.inputs), torch.tensor(problem.targets)
    for _ in range(STEPS + 1):
        out = x
        for index, weight in enumerate(weights):
            out = out @ weight.T
            out = torch.relu(out) if index < depth - 1 else out
        if problem.classes:
            loss = torch.nn.functional.cross_entropy(out, y)
        else:
            loss = torch.nn.functional.mse_loss(out, y)
        made.zero_grad()
        loss.backward()
        norm = torch.sqrt(sum((weight**2).sum() for weight in weights)).item()
        slope = torch.sqrt(sum((weight.grad**2).sum() for weight in weights)).item()
        variance = out.var(dim=0, unbiased=False).mean().item()
        values = [torch.linalg.svdvals(weight.detach()).numpy() for weight in weights]
        yield loss.item(), slope, norm, variance, values
        if optimiser == "norm-adaptive":
            made.param_groups[0]["lr"] = rate / norm ** (depth - 2)
        made.step()


@pytest.mark.parametrize("data", [classes(), numbers()], ids=["classes", "numbers"])
@pytest.mark.parametrize("optimiser", RATES)
def test_losses_norms_and_singular_values_are_pytorch_s(optimiser, data):
    network = mlp((6, 12, 9, 3), 0.7)
    settings = Settings(
        probe_steps=STEPS, probe_optimiser=optimiser, probe_rate=RATES[optimiser], threads=1
    )
    found = probe(network, data, settings, random_stream(0, "escape"), Monitor())
    records = {record.step: record for record in found.records}
    assert len(records) == STEPS + 1  # 20 of the first, then 100 evenly: all of them
    expected = torch_run(network, found.problem, optimiser, RATES[optimiser])
    for step, (loss, slope, norm, variance, values) in enumerate(expected):
        record = records[step]
        ours = record.loss, record.gradient_norm, record.parameter_norm, record.output_variance
        np.testing.assert_allclose(ours, (loss, slope, norm, variance), rtol=RELATIVE)
        for layer, theirs in zip(record.layers, values, strict=True):
            count = len(layer.singular_values)
            near = RELATIVE * theirs[0]
            np.testing.assert_allclose(layer.singular_values, theirs[:count], atol=near, rtol=0)
            stable = float(np.sum(theirs**2) / theirs[0] ** 2)
            assert layer.stable_rank == pytest.approx(stable, rel=RELATIVE)
            assert layer.ratio == pytest.approx(theirs[0] / theirs[1], rel=1e-9)


def test_targets_that_are_numbers_are_standardised():
    found = probe(
        mlp((6, 5, 3)), numbers(), Settings(probe_steps=1), random_stream(0, "escape"), Monitor()
    )
    np.testing.assert_allclose(found.problem.targets.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(found.problem.targets.std(axis=0), 1.0, rtol=1e-12)
    assert found.problem.constant_loss == pytest.approx(1.0)
