"""Products, moves, softmax, further norms and transposed convolutions against PyTorch."""

import numpy as np
import pytest

from fpcheck.core.errors import ModelFileError, SpecError
from fpcheck.network.network import Network
from fpcheck.network.program import forward, jacobian, jvp, trace, vjp
from fpcheck.network.skeleton import (
    Add,
    Concat,
    ConvTranspose,
    Dense,
    GroupNorm,
    Input,
    MatMul,
    Multiply,
    Pool,
    Reshape,
    RMSNorm,
    Scale,
    Skeleton,
    Slice,
    Softmax,
    Transpose,
)

torch = pytest.importorskip("torch")
functional = torch.nn.functional

RELATIVE = 1e-12  # float64 against float64: a few roundings, whatever the order of summation
RNG = np.random.default_rng(21)
X1 = RNG.normal(size=(4, 12))
XC1 = RNG.normal(size=(3, 6, 7))
XC2 = RNG.normal(size=(3, 4, 5, 6))


def network(x, *nodes, **parameters):
    return Network(Skeleton((Input("x", x.shape[1:]), *nodes)), parameters)


def tensor(values):
    return torch.tensor(values)


def transposed(x, function, kernel, *, layout="out_in", **options):
    groups = options.get("groups", 1)
    weight, bias = RNG.normal(size=(x.shape[1], 6 // groups, *kernel)), RNG.normal(size=6)
    pads = options.pop("padding", (0,) * len(kernel))
    node = ConvTranspose(
        "t",
        ("x",),
        6,
        kernel,
        "w",
        "b",
        padding=tuple((p, p) for p in pads),
        layout=layout,
        **options,
    )
    stored = weight if layout == "out_in" else np.moveaxis(weight, (0, 1), (-1, -2))

    def reference(t):
        return function(t, tensor(weight), tensor(bias), padding=pads, **options)

    return x, network(x, node, w=stored, b=bias), reference


def squeeze_and_excite():
    weight = RNG.normal(size=(6, 6))
    nodes = (
        Pool("p", ("x",), "mean", (7,)),
        Reshape("r", ("p",), (6,)),
        Dense("d", ("r",), 6, "w"),
        Softmax("s", ("d",)),
        Reshape("q", ("s",), (6, 1)),
        Multiply("m", ("x", "q")),
    )

    def reference(t):
        gate = torch.softmax(t.mean(2) @ tensor(weight).T, -1)
        return t * gate[:, :, None]

    return XC1, network(XC1, *nodes, w=weight), reference


def attention():
    """Two heads of width 3 over 7 positions: a fixed sequence length."""
    names = ("wq", "wk", "wv", "wo")
    weights = {name: RNG.normal(size=(6, 6)) for name in names} | {"f": np.array(3**-0.5)}
    nodes = [Transpose("rows", ("x",), (1, 0))]
    for head in "qkv":
        nodes += [
            Dense(head, ("rows",), 6, f"w{head}"),
            Reshape(f"{head}s", (head,), (7, 2, 3)),
            Transpose(f"{head}h", (f"{head}s",), (1, 0, 2)),
        ]
    nodes += [
        Transpose("kt", ("kh",), (0, 2, 1)),
        MatMul("qk", ("qh", "kt")),
        Scale("scaled", ("qk",), "f"),
        Softmax("p", ("scaled",)),
        MatMul("pv", ("p", "vh")),
        Transpose("back", ("pv",), (1, 0, 2)),
        Reshape("joined", ("back",), (7, 6)),
        Dense("out", ("joined",), 6, "wo"),
    ]

    def reference(t):
        rows = t.transpose(1, 2)
        q, k, v = (
            (rows @ tensor(weights[f"w{h}"]).T).reshape(-1, 7, 2, 3).transpose(1, 2) for h in "qkv"
        )
        mixed = functional.scaled_dot_product_attention(q, k, v)
        return mixed.transpose(1, 2).reshape(-1, 7, 6) @ tensor(weights["wo"]).T

    return XC1, network(XC1, *nodes, **weights), reference


def group_norm(groups):
    weight, bias = RNG.normal(size=6), RNG.normal(size=6)
    node = GroupNorm("n", ("x",), groups, "w", "b", 1e-3)
    return (
        XC1,
        network(XC1, node, w=weight, b=bias),
        lambda t: functional.group_norm(t, groups, tensor(weight), tensor(bias), 1e-3),
    )


def rms_norm():
    weight = RNG.normal(size=7)
    node = RMSNorm("n", ("x",), "w", 1e-4, 1)
    return (
        XC1,
        network(XC1, node, w=weight),
        lambda t: functional.rms_norm(t, (7,), tensor(weight), 1e-4),
    )


def scaled():
    factor, shift = RNG.normal(size=(6, 1)), RNG.normal(size=7)
    return (
        XC1,
        network(XC1, Scale("s", ("x",), "f", "h"), f=factor, h=shift),
        lambda t: t * tensor(factor) + tensor(shift),
    )


def joined():
    nodes = (
        Slice("a", ("x",), 0, 1, 6, 2),
        Slice("b", ("x",), 0, 0, 2),
        Concat("c", ("a", "x", "b"), 0),
    )
    return (
        XC1,
        network(XC1, *nodes),
        lambda t: torch.cat([t[:, 1:6:2], t, t[:, :2]], dim=1),
    )


def broadcast_sum():
    nodes = (
        Pool("p", ("x",), "mean", (7,)),
        Slice("one", ("x",), 0, 2, 3),
        Add("s", ("p", "x", "one")),
    )
    return XC1, network(XC1, *nodes), lambda t: t.mean(2, keepdim=True) + t + t[:, 2:3]


def cube():
    return XC1, network(XC1, Multiply("m", ("x", "x", "x"))), lambda t: t**3


CASES = {
    "squeeze and excite": squeeze_and_excite,
    "attention": attention,
    "product of three": cube,
    "sum with broadcasting": broadcast_sum,
    "slices joined": joined,
    "constant scale and shift": scaled,
    "group norm": lambda: group_norm(3),
    "instance norm": lambda: group_norm(6),
    "rms norm": rms_norm,
    "softmax over channels": lambda: (
        XC1,
        network(XC1, Softmax("s", ("x",), 0)),
        lambda t: torch.softmax(t, 1),
    ),
    "transpose": lambda: (
        XC2,
        network(XC2, Transpose("t", ("x",), (2, 0, 1))),
        lambda t: t.permute(0, 3, 1, 2),
    ),
    "mean pool that leaves padding out": lambda: (
        XC2,
        network(
            XC2, Pool("p", ("x",), "mean", (3, 3), (2, 2), ((1, 1), (1, 1)), count_padding=False)
        ),
        lambda t: functional.avg_pool2d(t, 3, 2, 1, count_include_pad=False),
    ),
    "transposed conv1d": lambda: transposed(XC1, functional.conv_transpose1d, (3,)),
    "transposed conv1d, strided, padded, grouped": lambda: transposed(
        XC1,
        functional.conv_transpose1d,
        (4,),
        stride=(3,),
        padding=(1,),
        output_padding=(1,),
        groups=2,
        dilation=(2,),
    ),
    "transposed conv2d": lambda: transposed(
        XC2,
        functional.conv_transpose2d,
        (3, 2),
        stride=(2, 2),
        padding=(1, 0),
        output_padding=(1, 1),
    ),
    "transposed conv2d stored (*kernel, out, in)": lambda: transposed(
        XC2, functional.conv_transpose2d, (3, 2), layout="in_out"
    ),
}


def assert_close(ours, theirs):
    scale = np.abs(theirs).max() or 1.0
    np.testing.assert_allclose(ours, theirs, rtol=0.0, atol=RELATIVE * scale)


@pytest.mark.parametrize("name", CASES)
def test_forward_pass_and_jacobian_are_those_of_pytorch(name):
    x, net, reference = CASES[name]()
    assert_close(forward(net.program, x), reference(tensor(x)).numpy())
    for row in x:
        theirs = torch.autograd.functional.jacobian(reference, tensor(row[None])).numpy()
        assert_close(jacobian(net.program, row), theirs.reshape(-1, row.size))


@pytest.mark.parametrize("name", CASES)
def test_products_of_many_rows_are_those_of_every_row(name):
    x, net, _ = CASES[name]()
    program, rows = net.program, len(x)
    jacobians = [jacobian(program, row) for row in x]
    tangents = RNG.normal(size=x.shape)
    along = jvp(program, trace(program, x), tangents)
    back = RNG.normal(size=along.shape)
    pulled = vjp(program, trace(program, x), back)
    for row in range(rows):
        assert_close(along[row].ravel(), jacobians[row] @ tangents[row].ravel())
        assert_close(pulled[row].ravel(), back[row].ravel() @ jacobians[row])
    one = trace(program, x[:1])
    assert_close(
        jvp(program, one, tangents).reshape(rows, -1), tangents.reshape(rows, -1) @ jacobians[0].T
    )
    assert_close(vjp(program, one, back).reshape(rows, -1), back.reshape(rows, -1) @ jacobians[0])


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (Concat("c", ("x", "x"), 2), "cannot join"),
        (Slice("s", ("x",), 0, 3, 9), "lies outside axis 0"),
        (Slice("s", ("x",), 5, 0, 1), "cannot slice axis 5"),
        (Transpose("t", ("x",), (0, 0)), "does not order"),
        (MatMul("m", ("x", "x")), r"cannot multiply matrices \[6, 7\] and \[6, 7\]"),
        (GroupNorm("g", ("x",), 4), "groups do not divide"),
        (Softmax("s", ("x",), 2), "has no axis 2"),
        (RMSNorm("r", ("x",), axes=3), "normalises 3 axes"),
        (ConvTranspose("t", ("x",), 2, (1,), "w", padding=((9, 9),)), "leaves nothing"),
    ],
)
def test_what_does_not_chain_is_refused_by_name(node, message):
    with pytest.raises(SpecError, match=message):
        Skeleton((Input("x", (6, 7)), node))


def test_a_scale_that_does_not_broadcast_is_refused():
    with pytest.raises(ModelFileError, match=r"'f' is \[6\] and does not broadcast"):
        network(XC1, Scale("s", ("x",), "f"), f=np.ones(6))
