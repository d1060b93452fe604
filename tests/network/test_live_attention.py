"""Attention and encoder layers of PyTorch are composed exactly."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402, N812

from fpcheck.network.load import load  # noqa: E402
from fpcheck.network.program import forward, jvp, trace, vjp  # noqa: E402

EXACT = 1e-12  # both sides in double precision; sums are ordered differently
WIDTH, LENGTH = 8, 5
# Nested tensors are PyTorch's own fast path; it says when it cannot take it.
pytestmark = pytest.mark.filterwarnings("ignore:enable_nested_tensor is True:UserWarning")


class Called(nn.Module):
    """A layer called by a model with arguments of its own."""

    def __init__(self, call, **parts):
        super().__init__()
        self.call = call
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        return self.call(self, x)


class Causal(nn.Module):
    """One head of attention, its later positions filled with minus infinity."""

    def __init__(self):
        super().__init__()
        self.all = nn.Linear(WIDTH, 3 * WIDTH)
        self.register_buffer("seen", torch.tril(torch.ones(LENGTH + 2, LENGTH + 2)))

    def forward(self, x):
        _, length, width = x.size()
        q, k, v = self.all(x).split(width, dim=2)
        scores = (q @ k.transpose(-2, -1)) * width**-0.5
        scores = scores.masked_fill(self.seen[:length, :length] == 0, float("-inf"))
        return F.softmax(scores, dim=-1) @ v


def heads(**options):
    return nn.MultiheadAttention(WIDTH, 2, dropout=0.1, **options)


def layer(**options):
    options = {"batch_first": True, **options}
    return nn.TransformerEncoderLayer(WIDTH, 2, 16, dropout=0.1, **options)


def split(x):
    n, length, _ = x.shape
    return x.view(n, length, 2, WIDTH // 2).transpose(1, 2)


MASK = torch.randn(LENGTH, LENGTH, generator=torch.Generator().manual_seed(0)).double()
LATER = torch.triu(torch.ones(LENGTH, LENGTH), 1).bool()
NONE_LATER = nn.Transformer.generate_square_subsequent_mask(LENGTH).double()

CASES = {
    "itself": lambda: heads(batch_first=True),
    "itself, positions first": heads,
    "no biases": lambda: heads(batch_first=True, bias=False),
    "inside": lambda: Called(
        lambda m, x: x + m.a(x, x, x, need_weights=False)[0], a=heads(batch_first=True)
    ),
    "inside, positions first": lambda: Called(
        lambda m, x: m.inner(*[x.transpose(0, 1)] * 3)[0].transpose(0, 1), inner=heads()
    ),
    "two sequences": lambda: Called(
        lambda m, x: m.a(x[:, :2], x, torch.tanh(x))[0], a=heads(batch_first=True)
    ),
    "other widths": lambda: Called(
        lambda m, x: m.a(x, x[..., :3], x[..., 3:])[0],
        a=heads(batch_first=True, kdim=3, vdim=WIDTH - 3),
    ),
    "added mask": lambda: Called(
        lambda m, x: m.a(x, x, x, attn_mask=MASK)[0], a=heads(batch_first=True)
    ),
    "causal mask": lambda: Called(
        lambda m, x: m.a(x, x, x, attn_mask=LATER)[0], a=heads(batch_first=True)
    ),
    "product": lambda: Called(
        lambda m, x: F.scaled_dot_product_attention(split(x), split(m.k(x)), split(x), scale=0.3),
        k=nn.Linear(WIDTH, WIDTH),
    ),
    "causal product": lambda: Called(
        lambda m, x: F.scaled_dot_product_attention(split(x), split(x), split(x), is_causal=True)
    ),
    "product through a mask": lambda: Called(
        lambda m, x: F.scaled_dot_product_attention(split(x), split(x), split(x), ~LATER)
    ),
    "filled by hand": Causal,
    "layer": lambda: layer(activation="relu"),
    "layer, norm first": lambda: layer(norm_first=True, activation="gelu"),
    "layer, positions first": lambda: layer(batch_first=False),
    "layer, a function": lambda: layer(activation=F.silu, bias=False),
    "layer, a module": lambda: layer(activation=nn.LeakyReLU(0.2)),
    "encoder": lambda: nn.TransformerEncoder(layer(norm_first=True), 2, nn.LayerNorm(WIDTH)),
    "encoder, positions first": lambda: nn.TransformerEncoder(layer(batch_first=False), 2),
    "encoder, causal": lambda: Called(
        lambda m, x: m.e(x, mask=NONE_LATER, is_causal=True), e=nn.TransformerEncoder(layer(), 2)
    ),
    "classifier, positions first": lambda: Called(
        lambda m, x: m.out(m.norm(m.e(x * 2.0)).mean(0)),
        e=nn.TransformerEncoder(layer(batch_first=False), 1),
        norm=nn.LayerNorm(WIDTH),
        out=nn.Linear(WIDTH, 3),
    ),
}


def made(case):
    torch.manual_seed(1)
    model = CASES[case]().double().eval()
    for tensor in model.parameters():  # biases are zero at first, and norms are one
        tensor.data += 0.2 * torch.randn_like(tensor)
    return model


def value(model, x):
    """What the model gives for the rows x; the cases' names say which take positions first."""
    first = [m.batch_first for m in model.modules() if hasattr(m, "batch_first")]
    turned = first[:1] == [False] and not hasattr(model, "inner")
    x = x.transpose(0, 1).clone() if turned else x
    y = model(x, x, x)[0] if isinstance(model, nn.MultiheadAttention) else model(x)
    return y.transpose(0, 1) if turned and y.dim() == 3 else y


@pytest.mark.parametrize("case", CASES)
def test_attention_and_its_jacobian_products_are_pytorchs(case):
    model = made(case)
    subject = load(model, input_shape=(LENGTH, WIDTH))
    assert subject.partial is None
    assert not subject.network.skeleton.black_box, subject.notes
    assert set(subject.tensors) >= set(model.state_dict())
    assert subject.unused == ()
    rng = np.random.default_rng(2)
    x = rng.standard_normal((4, LENGTH, WIDTH))
    program = subject.network.program
    expected = value(model, torch.tensor(x)).detach().numpy()
    assert np.abs(forward(program, x) - expected).max() < EXACT
    exact = torch.autograd.functional.jacobian(lambda x: value(model, x), torch.tensor(x[:1]))
    exact = exact.numpy().reshape(program.output_size, program.input_size)
    values = trace(program, x[:1])
    tangent = rng.standard_normal((1, LENGTH, WIDTH))
    along = jvp(program, values, tangent).reshape(-1)
    assert np.abs(along - exact @ tangent.reshape(-1)).max() < EXACT
    cotangent = rng.standard_normal((1, *expected.shape[1:]))
    back = vjp(program, values, cotangent).reshape(-1)
    assert np.abs(back - cotangent.reshape(-1) @ exact).max() < EXACT


def test_a_module_that_takes_positions_first_says_where_its_rows_lie():
    notes = load(made("encoder, positions first"), input_shape=(LENGTH, WIDTH)).notes
    assert any("second axis" in note for note in notes)
    notes = load(made("encoder"), input_shape=(LENGTH, WIDTH)).notes
    assert not any("second axis" in note for note in notes)


@pytest.mark.parametrize(
    ("call", "options", "words"),
    [
        (lambda m, x: m.a(x, x, x, key_padding_mask=LATER[:1])[0], {}, "single rows"),
        (lambda m, x: m.a(x, x, x, attn_mask=x[..., :LENGTH])[0], {}, "its mask depends"),
        (lambda m, x: m.a(x, x, x)[0], {"add_bias_kv": True}, "keys and values of its own"),
        (lambda m, x: m.a(x, x, x)[0], {"add_zero_attn": True}, "keys and values of its own"),
    ],
)
def test_what_cannot_be_composed_is_named_and_what_lies_before_is_read(call, options, words):
    model = Called(
        lambda m, x: call(m, m.first(x)), first=nn.Linear(WIDTH, WIDTH),
        a=heads(batch_first=True, **options),
    )  # fmt: skip
    partial = load(model.eval(), input_shape=(LENGTH, WIDTH)).partial
    assert words in partial.reason
    assert partial.parameter_share > 0


def test_a_mask_that_hides_everything_from_a_position_is_refused():
    hidden = torch.ones(LENGTH, LENGTH, dtype=torch.bool)
    model = Called(lambda m, x: m.a(m.b(x), x, x, attn_mask=hidden)[0],
                   a=heads(batch_first=True), b=nn.Linear(WIDTH, WIDTH))  # fmt: skip
    assert "lets a position see nothing" in load(model, input_shape=(LENGTH, WIDTH)).partial.reason
