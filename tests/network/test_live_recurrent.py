"""Recurrent modules of a live PyTorch model are cells, wherever they stand."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from fpcheck.core.errors import DataError  # noqa: E402
from fpcheck.core.settings import Settings  # noqa: E402
from fpcheck.jobs.analyze import analyze  # noqa: E402
from fpcheck.network.constant_input import ConstantInput  # noqa: E402
from fpcheck.network.load import load  # noqa: E402
from fpcheck.network.program import forward, jacobian  # noqa: E402

EXACT = 1e-12
SETTLED = 1e-11  # a state at rest is so to rounding
U = np.array([0.5, -1.0, 2.0])
HELD = ConstantInput("u", U)
STACKS = {"RNN": nn.RNN, "GRU": nn.GRU, "LSTM": nn.LSTM}


class Tagger(nn.Module):
    """A dense layer, two recurrent layers with a dropout between, a readout of the last state."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.lower = nn.GRU(3, 4, batch_first=True, bidirectional=True)
        self.drop = nn.Dropout(0.5)
        self.upper = nn.LSTM(8, 5, batch_first=True)
        self.out = nn.Linear(5, 2)

    def forward(self, x):
        lower, _ = self.lower(torch.tanh(self.first(x)))
        upper, _ = self.upper(self.drop(lower))
        return self.out(upper[:, -1])


def seeded(build):
    torch.manual_seed(4)
    return build().double()


def step(module, u, state):
    """One step of a module of one layer and direction by itself. state: (n, size)."""
    x = torch.as_tensor(u).expand(len(state), 1, -1)
    parts = torch.as_tensor(state).split(module.hidden_size, dim=1)
    parts = tuple(part[None].contiguous() for part in parts)
    given = parts if isinstance(module, nn.LSTM) else parts[0]
    last = module(x if module.batch_first else x.transpose(0, 1), given)[1]
    last = last if isinstance(last, tuple) else (last,)
    return torch.cat([part[0] for part in last], dim=1)


def assert_steps(cell, module, u, tolerance=EXACT):
    program = cell.network.program
    state = np.random.default_rng(0).normal(size=(4, program.input_size))
    expected = step(module, u, state).detach().numpy()
    assert np.abs(forward(program, state) - expected).max() < tolerance
    exact = torch.autograd.functional.jacobian(
        lambda s: step(module, u, s[None])[0], torch.tensor(state[0])
    )
    assert np.abs(jacobian(program, state[0]) - exact.numpy()).max() < tolerance


@pytest.mark.parametrize("kind", STACKS)
@pytest.mark.parametrize("batch_first", [False, True])
def test_a_recurrent_module_is_its_cell(kind, batch_first):
    module = seeded(lambda: STACKS[kind](3, 4, batch_first=batch_first))
    subject = load(module, input_choice=HELD)
    (cell,) = subject.cells
    assert (cell.name, cell.kind, cell.note) == ("l0", kind.lower(), "input held at u")
    assert subject.network is None
    assert "map of its state" in subject.no_network
    assert list(subject.tensors) == list(module.state_dict())
    assert_steps(cell, module, U)


def test_a_relu_module_steps_with_relu_and_nothing_is_assumed():
    module = seeded(lambda: nn.RNN(3, 4, nonlinearity="relu"))
    subject = load(module, input_choice=HELD)
    assert_steps(subject.cells[0], module, U)
    assert not any("tanh" in note or "--activation" in note for note in subject.notes)


@pytest.mark.parametrize("kind", ["RNNCell", "GRUCell", "LSTMCell"])
def test_a_single_cell_is_itself(kind):
    module = seeded(lambda: getattr(nn, kind)(3, 4))
    (cell,) = load(module, input_choice=HELD).cells
    state = np.random.default_rng(0).normal(size=(2, cell.network.program.input_size))
    parts = tuple(torch.tensor(state).split(4, dim=1))
    after = module(torch.tensor(U).expand(2, -1), parts if kind == "LSTMCell" else parts[0])
    after = torch.cat(after, dim=1) if kind == "LSTMCell" else after
    assert np.abs(forward(cell.network.program, state) - after.detach().numpy()).max() < EXACT


@pytest.mark.parametrize("kind", STACKS)
def test_a_live_stack_has_the_cells_of_its_state_dict(kind, tmp_path):
    module = seeded(lambda: STACKS[kind](3, 4, num_layers=3, bidirectional=True))
    torch.save({f"memory.{k}": v for k, v in module.state_dict().items()}, tmp_path / "m.pt")
    stored = load(tmp_path / "m.pt", input_choice=HELD).cells
    live = load(nn.ModuleDict({"memory": module}), input_choice=HELD).cells
    assert [(c.name, c.kind, c.note) for c in live] == [(c.name, c.kind, c.note) for c in stored]
    state = np.random.default_rng(0).normal(size=(2, stored[0].network.program.input_size))
    for one, other in zip(live, stored, strict=True):
        assert np.array_equal(
            forward(one.network.program, state), forward(other.network.program, state)
        )


def test_recurrent_modules_among_others_are_cells_and_what_lies_before_is_read():
    model = seeded(Tagger).eval()
    subject = load(model, input_shape=(7, 3), input_choice=HELD)
    assert subject.partial.operator == "GRU"
    assert "map of its state" in subject.partial.reason
    x = np.random.default_rng(1).standard_normal((2, 7, 3))
    before = torch.tanh(model.first(torch.tensor(x))).detach().numpy()
    assert np.abs(forward(subject.network.program, x) - before).max() < EXACT
    names = ["lower.l0", "lower.l0_reverse", "upper.l0"]
    assert [cell.name for cell in subject.cells] == names
    last = subject.cells[2]
    assert last.note == "input held at what lower.l0 and lower.l0_reverse settle at from zero"
    with torch.no_grad():
        ends = model.lower(torch.tensor(U).expand(1, 3000, -1))[1][:, 0].reshape(-1)
    assert_steps(last, model.upper, ends, SETTLED)


def test_a_module_behind_another_layer_behind_a_cell_is_held_at_zeros():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.upper = nn.RNN(4, 4)  # the order of use is another one
            self.lower = nn.RNN(4, 4)
            self.beside = nn.RNN(4, 4)

        def forward(self, x):
            below = self.lower(x)[0]
            return self.upper(below * 2.0)[0] + self.beside(x)[0] + self.lower(below)[0]

    notes = {cell.name: cell.note for cell in load(seeded(Model)).cells}
    assert notes["lower.l0"] == notes["beside.l0"] == "input held at zeros"
    assert notes["upper.l0"].startswith("input held at zeros, as ")


def test_cells_of_a_model_that_cannot_be_traced_are_found_all_the_same():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.GRUCell(3, 3)

        def forward(self, x):
            h = x.new_zeros(len(x), 3)
            for _ in range(int(x.sum() > 0) + 1):
                h = self.cell(x, h)
            return h

    subject = load(seeded(Model), input_shape=(3,))
    assert [cell.name for cell in subject.cells] == ["cell"]
    assert subject.network is None
    assert "torch.fx cannot trace it" in subject.no_network


def test_parametrised_weights_are_those_that_the_module_uses():
    module = seeded(lambda: nn.GRU(3, 4))
    nn.utils.parametrizations.weight_norm(module, "weight_hh_l0")
    module.parametrizations.weight_hh_l0.original0.data *= 1.7
    (cell,) = load(module, input_choice=HELD).cells
    assert_steps(cell, module, U)


def test_a_row_that_fits_no_cell_is_refused():
    with pytest.raises(DataError, match="has 2 entries; cell 'l0' takes 3"):
        load(nn.LSTM(3, 4), input_choice=ConstantInput("u", np.zeros(2)))


def test_the_report_of_a_live_model_shows_a_map_for_every_cell():
    report = analyze(seeded(Tagger), input_shape=(7, 3), settings=Settings(starts=32, samples=16))
    maps = report.document["attractors"]["maps"]
    assert [one["name"] for one in maps] == ["lower.l0", "lower.l0_reverse", "upper.l0"]
    assert all(one["fixed_points"] for one in maps)
    assert report.document["signal"]["measured"]["layers"]
