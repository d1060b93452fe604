"""The probe of convolutions, residual sums, norms, shared weights against PyTorch, step by step."""

import numpy as np
import pytest
from probed_networks import classes, mlp, numbers

from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.core.streams import random_stream
from fpcheck.escape.measure import probe
from fpcheck.escape.problem import pose_problem
from fpcheck.escape.rate import MOMENTUM
from fpcheck.network.data import Data
from fpcheck.network.load import load
from fpcheck.network.training.optimisers import degree

torch = pytest.importorskip("torch")

RELATIVE = 1e-10  # of each number, over 40 steps: roundings of 1e-16 that training blows up
STEPS = 40
RATES = {"sgd": 0.05, "momentum": 0.02, "adam": 0.01, "norm-adaptive": 0.3}


class Residual(torch.nn.Module):
    """A layer norm and two layers, to which their input is added."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = torch.nn.Linear(6, 10), torch.nn.LayerNorm(10)
        self.up, self.down = torch.nn.Linear(10, 12), torch.nn.Linear(12, 10)
        self.act, self.last = torch.nn.GELU(), torch.nn.Linear(10, 3)

    def forward(self, x):
        x = self.act(self.first(x))
        return self.last(x + self.down(self.act(self.up(self.norm(x)))))


class Shared(torch.nn.Module):
    """One layer that is passed twice."""

    def __init__(self):
        super().__init__()
        self.first, self.twice = torch.nn.Linear(6, 8), torch.nn.Linear(8, 8)
        self.last = torch.nn.Linear(8, 3)

    def forward(self, x):
        x = torch.tanh(self.first(x))
        return self.last(torch.tanh(self.twice(torch.tanh(self.twice(x)))))


def convolutions():
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3), nn.GELU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(6, 3),
    )  # fmt: skip


def batch_norms():
    nn = torch.nn
    made = nn.Sequential(nn.Linear(6, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, 3)).double()
    for _ in range(5):  # statistics that are not 0 and 1
        made(1.0 + 2.0 * torch.randn(50, 6, dtype=torch.float64))
    return made


def closing_softmax():
    nn = torch.nn
    return nn.Sequential(nn.Linear(6, 12), nn.SiLU(), nn.Linear(12, 3), nn.Softmax(-1))


def images():
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 3, 60)
    inputs = rng.normal(size=(60, 1, 8, 8))
    inputs[:, 0, 2:5, 2:5] += labels[:, None, None]
    return Data(inputs, labels, "classification", ("a", "b", "c"), "images")


CASES = {
    "convolutions and pools": (convolutions, images()),
    "residual, layer norm, GELU": (Residual, classes()),
    "residual on numbers": (Residual, numbers()),
    "batch norm at inference": (batch_norms, classes()),
    "a closing softmax": (closing_softmax, classes()),
    "a layer passed twice": (Shared, classes()),
}


def torch_run(module, found, optimiser, batches):
    """Per step: loss, gradient norm, parameter norm, by autograd and torch.optim."""
    if isinstance(module[-1] if hasattr(module, "__getitem__") else None, torch.nn.Softmax):
        module = module[:-1]
    weights, rate = list(module.parameters()), RATES[optimiser]
    made = (
        torch.optim.Adam(weights, lr=rate)
        if optimiser == "adam"
        else torch.optim.SGD(weights, lr=rate, momentum=MOMENTUM * (optimiser == "momentum"))
    )
    inputs, targets = torch.tensor(found.problem.inputs), torch.tensor(found.problem.targets)
    functional = torch.nn.functional
    measure = functional.cross_entropy if found.problem.classes else functional.mse_loss
    depth = degree(found.run.network.skeleton)
    for rows in batches:
        loss = measure(module(inputs[rows]), targets[rows])
        made.zero_grad()
        loss.backward()
        norm = torch.sqrt(sum((weight**2).sum() for weight in weights)).item()
        slope = torch.sqrt(sum((weight.grad**2).sum() for weight in weights)).item()
        yield loss.item(), slope, norm
        if optimiser == "norm-adaptive":
            made.param_groups[0]["lr"] = rate / norm ** (depth - 2)
        made.step()


def rows_of_steps(count, batch):
    """What every step sees: a shuffled pass after the other, by the probe's own stream."""
    rng = random_stream(0, "escape").spawn(5)[2]
    drawn = []
    while len(drawn) <= STEPS:
        order = rng.permutation(count) if batch else np.arange(count)
        drawn += [order[at : at + (batch or count)] for at in range(0, count, batch or count)]
    return drawn[: STEPS + 1]


@pytest.mark.parametrize("batch", [0, 32])
@pytest.mark.parametrize("optimiser", RATES)
@pytest.mark.parametrize("name", CASES)
def test_every_step_is_that_of_pytorch(name, optimiser, batch):
    make, data = CASES[name]
    torch.manual_seed(1)
    module = make().double().eval()
    settings = Settings(
        probe_steps=STEPS, probe_optimiser=optimiser, probe_rate=RATES[optimiser],
        probe_batch=batch, threads=1,
    )  # fmt: skip
    network = load(module, input_shape=data.inputs.shape[1:]).network
    found = probe(network, data, settings, random_stream(0, "escape"), Monitor())
    batches = rows_of_steps(len(data.inputs), batch)
    expected = np.array(list(torch_run(module, found, optimiser, batches)))
    ours = np.column_stack([found.run.loss, found.run.gradient_norm, found.run.parameter_norm])
    np.testing.assert_allclose(ours, expected, rtol=RELATIVE)


def test_what_is_not_trained_is_said():
    problem = pose_problem(
        load(batch_norms().eval(), input_shape=(6,)).network, classes(), np.random.default_rng(0)
    )
    assert any("their means and variances stay" in note for note in problem.notes)
    plain = pose_problem(mlp((6, 4, 3)), classes(), np.random.default_rng(0))
    assert not any("stay" in note or "not trained" in note for note in plain.notes)


def test_constants_that_scale_are_said_not_to_be_trained():
    class Scaled(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = torch.nn.Linear(6, 8), torch.nn.Linear(8, 3)
            self.factor = torch.nn.Parameter(torch.full((8,), 0.5))

        def forward(self, x):
            return self.two(torch.relu(self.one(x)) * self.factor)

    network = load(Scaled(), input_shape=(6,)).network
    problem = pose_problem(network, classes(), np.random.default_rng(0))
    assert any("scales or shifts are not trained" in note for note in problem.notes)
