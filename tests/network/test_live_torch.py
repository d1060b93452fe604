"""A traced PyTorch module is the network that PyTorch runs."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402, N812

from fpcheck.network.load import load  # noqa: E402
from fpcheck.network.program import forward, jacobian  # noqa: E402
from fpcheck.network.skeleton import BlackBox, Scale  # noqa: E402

# Both sides in double precision; sums are ordered differently.
ROUNDING = 1e-11


class Residual(nn.Module):
    """A convolution with a norm, a residual branch with a learned scale, pooling, a readout."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.second = nn.Conv2d(4, 4, 3, padding="same", groups=2)
        self.scale = nn.Parameter(torch.rand(4, 1, 1))
        self.out = nn.Linear(4, 5)

    def forward(self, x):
        h = torch.relu(self.norm(self.first(x)))
        h = h + F.silu(self.second(h)) * self.scale
        h = h.mean((2, 3))
        return self.out(h.view(h.size(0), -1)).softmax(-1)


class Attention(nn.Module):
    """Two heads of self-attention on a sequence, split and joined by views and permutations."""

    def __init__(self):
        super().__init__()
        self.all = nn.Linear(6, 18)
        self.out = nn.Linear(6, 6, bias=False)
        self.norm = nn.LayerNorm(6)

    def forward(self, x):
        n, length, width = x.shape
        q, k, v = self.all(self.norm(x)).chunk(3, dim=-1)
        q, k, v = (t.view(n, length, 2, width // 2).transpose(1, 2) for t in (q, k, v))
        heads = F.scaled_dot_product_attention(q, k, v)
        return x + self.out(heads.transpose(1, 2).reshape(n, length, width))


class Spelled(nn.Module):
    """Arithmetic with constants, slices, joining and stacking, in PyTorch's own spellings."""

    def forward(self, x):
        left, right = x[:, :3], x[:, 3:]
        both = torch.cat([2 - left, right / 4], dim=1)
        pair = torch.stack([both, x.neg()], dim=1)
        chosen = pair[:, 0] * torch.sigmoid(pair.select(1, 1))
        return F.pad(chosen.pow(2).clamp(min=-1, max=0.5), (0, 0)) + x.unsqueeze(1).squeeze(1)


CASES = {
    "residual": (Residual, (3, 8, 8)),
    "attention": (Attention, (5, 6)),
    "spelled": (Spelled, (6,)),
    "activations": (
        lambda: nn.Sequential(
            nn.Linear(6, 7), nn.ELU(0.7), nn.Linear(7, 7), nn.GELU(), nn.LeakyReLU(0.2),
            nn.Linear(7, 7), nn.Softplus(), nn.Hardtanh(-0.5, 0.8), nn.CELU(1.3), nn.SELU(),
            nn.Linear(7, 7), nn.Mish(), nn.Hardswish(), nn.LogSigmoid(), nn.Softsign(),
            nn.Linear(7, 8), nn.GLU(), nn.PReLU(), nn.Tanhshrink(), nn.ReLU6(), nn.Softmax(-1),
        ),
        (6,),
    ),
    "images": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 6, (3, 2), stride=(2, 1), dilation=(1, 2)), nn.PReLU(6),
            nn.GroupNorm(3, 6), nn.MaxPool2d(2, stride=1, padding=1), nn.InstanceNorm2d(6),
            nn.ConvTranspose2d(6, 4, 3, stride=2, padding=1, output_padding=1), nn.Tanh(),
            nn.AvgPool2d(2), nn.Dropout(0.5), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
            nn.Linear(4, 3),
        ),
        (2, 9, 8),
    ),
    "sequences": (
        lambda: nn.Sequential(
            nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4), nn.ReLU(inplace=True), nn.AvgPool1d(2),
            nn.ConvTranspose1d(4, 2, 2), nn.Flatten(), nn.LazyLinear(5), nn.RMSNorm(5, eps=1e-6),
        ),
        (2, 9),
    ),
}  # fmt: skip


def made(case):
    """The case's module in double precision with statistics of its own, and its input shape."""
    build, shape = CASES[case]
    torch.manual_seed(1)
    model = build().double()
    model(torch.randn(7, *shape, dtype=torch.double))  # in training mode: moves running statistics
    return model.eval(), shape


@pytest.mark.parametrize("case", CASES)
def test_a_traced_module_gives_what_pytorch_gives(case):
    model, shape = made(case)
    subject = load(model, input_shape=shape)
    assert subject.partial is None
    assert not subject.network.skeleton.black_box
    x = np.random.default_rng(2).standard_normal((5, *shape))
    expected = model(torch.tensor(x)).detach().numpy()
    assert np.abs(forward(subject.network.program, x) - expected).max() < ROUNDING


@pytest.mark.parametrize("case", ["residual", "attention", "spelled", "activations"])
def test_its_jacobian_is_that_of_automatic_differentiation(case):
    model, shape = made(case)
    program = load(model, input_shape=shape).network.program
    x = np.random.default_rng(3).standard_normal(shape)
    exact = torch.autograd.functional.jacobian(model, torch.tensor(x[None]))
    expected = exact.numpy().reshape(program.output_size, program.input_size)
    assert np.abs(jacobian(program, x) - expected).max() < ROUNDING


def test_parameters_keep_the_state_dicts_names_and_types():
    subject = load(Residual().half().float().half(), input_shape=(3, 8, 8))
    assert list(subject.tensors) == list(Residual().state_dict())
    assert subject.tensors["first.weight"].dtype == np.float16
    assert any(isinstance(n, Scale) and n.factor == "scale" for n in subject.network.skeleton.nodes)


def test_bfloat16_is_read_exactly_as_float32():
    model = nn.Linear(3, 3).bfloat16()
    subject = load(model)
    assert subject.tensors["weight"].dtype == np.float32
    assert np.array_equal(subject.tensors["weight"], model.weight.detach().float().numpy())
    assert any("bfloat16" in note for note in subject.notes)


def test_the_module_is_left_as_it_was():
    model = Residual()
    model.norm.eval()
    model.first.weight.requires_grad_(False)
    model(torch.randn(2, 3, 8, 8)).sum().backward()
    flags = [module.training for module in model.modules()]
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    grads = {name: p.grad if p.grad is None else p.grad.clone() for name, p in own(model)}
    before = torch.random.get_rng_state()
    load(model, input_shape=(3, 8, 8))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert [module.training for module in model.modules()] == flags
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())
    assert not model.first.weight.requires_grad
    for name, parameter in own(model):
        same = parameter.grad is grads[name] or torch.equal(parameter.grad, grads[name])
        assert same


def own(model):
    return list(model.named_parameters())


def test_the_copied_parameters_do_not_follow_the_module():
    model = nn.Linear(3, 3)
    subject = load(model)
    before = subject.network.parameters["weight"].copy()
    with torch.no_grad():
        model.weight.zero_()
    assert np.array_equal(subject.network.parameters["weight"], before)


def test_the_hash_is_of_the_parameters():
    torch.manual_seed(0)
    model = nn.Linear(3, 3)
    first, again = load(model).sha256, load(model).sha256
    with torch.no_grad():
        model.bias[0] += 1
    assert first == again != load(model).sha256


def test_the_input_shape_comes_from_the_first_layer_or_from_the_user():
    assert load(nn.Sequential(nn.Flatten(), nn.Linear(4, 2))).network.skeleton.input_shape == (4,)
    unknown = load(nn.Sequential(nn.Conv1d(2, 2, 3)))
    assert unknown.network is None
    assert "--input-shape" in unknown.hint
    assert list(unknown.tensors) == ["0.weight", "0.bias"]


def test_an_operation_without_a_node_leaves_the_part_before_it():
    class Sorted(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x):
            return self.b(torch.sort(torch.tanh(self.a(x)))[0])

    subject = load(Sorted())
    assert subject.partial.operator == "sort"
    assert subject.partial.parameter_share == pytest.approx(0.5)
    assert [node.name for node in subject.network.skeleton.nodes] == ["x", "a", "tanh"]


class Branching(nn.Module):
    """Control flow that depends on values: it cannot be traced."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, x):
        y = self.layer(x)
        return y if y.shape[1] == 3 and bool(torch.isfinite(y).all()) else -y


def test_what_cannot_be_traced_is_called_in_double_precision():
    model = Branching()
    subject = load(model, input_shape=(3,))
    (_, node) = subject.network.skeleton.nodes
    assert isinstance(node, BlackBox)
    assert any("cannot trace" in note for note in subject.notes)
    x = np.random.default_rng(0).standard_normal((4, 3))
    twin = Branching().double()
    twin.load_state_dict(model.state_dict())
    expected = twin(torch.tensor(x)).detach().numpy()
    assert np.abs(forward(subject.network.program, x) - expected).max() < ROUNDING
    weight = model.layer.weight.detach().double().numpy()
    # Central differences of a linear map are exact but for rounding over the step.
    assert np.abs(jacobian(subject.network.program, x[0]) - weight).max() < 1e-9


def test_a_trace_that_gives_something_else_is_not_believed():
    class Changing(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 3)

        def forward(self, x):
            h = self.layer(x)
            torch.relu_(h)  # changes h itself, which the trace does not show
            return h

    subject = load(Changing())
    assert subject.network.skeleton.black_box
    assert any("does not give what the module gives" in note for note in subject.notes)


def test_a_part_whose_values_are_changed_in_place_is_not_believed():
    class Changing(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 3)

        def forward(self, x):
            h = self.layer(x)
            g = torch.relu_(h)  # changes h itself, which the trace does not show
            return (g + h).flip(1)  # an operation without a node

    subject = load(Changing())
    assert subject.partial is None
    assert subject.network.skeleton.black_box
    assert any("on its way" in note for note in subject.notes)


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_rms_norm_takes_the_epsilon_of_its_type(kind):
    model = nn.Sequential(nn.RMSNorm(3, dtype=kind))
    x = 1e-4 * np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    expected = model(torch.tensor(x, dtype=kind)).detach().double().numpy()
    found = forward(load(model).network.program, x.astype(np.float64))
    np.testing.assert_allclose(found, expected, rtol=1e-6 if kind == torch.float32 else ROUNDING)


class Token(nn.Module):
    """A class token before a sequence, in the two spellings that repeat it for every row."""

    def __init__(self, spelling):
        super().__init__()
        self.spelling = spelling
        self.token = nn.Parameter(torch.randn(1, 2, 4))
        self.out = nn.Linear(4, 3)

    def forward(self, x):
        n = x.shape[0]
        token = (
            self.token.expand(n, -1, -1)
            if self.spelling == "expand"
            else self.token.repeat(n, 1, 1)
        )
        return torch.tanh(self.out(torch.cat([token, x], dim=1)))


@pytest.mark.parametrize("spelling", ["expand", "repeat"])
def test_a_class_token_is_joined_to_every_row(spelling):
    torch.manual_seed(0)
    model = Token(spelling).double().eval()
    subject = load(model, input_shape=(5, 4))
    assert subject.partial is None
    assert subject.network is not None, subject.no_network
    program = subject.network.program
    x = torch.randn(3, 5, 4, dtype=torch.float64)
    np.testing.assert_allclose(forward(program, x.numpy()), model(x).detach(), atol=ROUNDING)
    expected = torch.autograd.functional.jacobian(lambda row: model(row[None])[0], x[0])
    np.testing.assert_allclose(
        jacobian(program, x[0].numpy()), expected.reshape(21, 20), atol=ROUNDING
    )


class Branches(nn.Module):
    """A residual branch under torchvision's stochastic depth, which acts in training alone."""

    def __init__(self):
        super().__init__()
        vision = pytest.importorskip("torchvision.ops")
        self.out, self.drop = nn.Linear(4, 4), vision.StochasticDepth(0.5, "row")

    def forward(self, x):
        return x + self.drop(self.out(x))


def test_stochastic_depth_does_nothing_at_inference():
    model = Branches().double().eval()
    subject = load(model, input_shape=(4,))
    assert subject.partial is None
    x = torch.randn(3, 4, dtype=torch.float64)
    np.testing.assert_allclose(
        forward(subject.network.program, x.numpy()), model(x).detach(), atol=ROUNDING
    )
