"""Every node type's forward pass and Jacobian against PyTorch and finite differences."""

import itertools

import numpy as np
import pytest

from fpcheck.core.errors import UnsupportedOperationError
from fpcheck.network.activations import ACTIVATIONS, activation
from fpcheck.network.network import Network
from fpcheck.network.program import backward, forward, jacobian, jvp, trace, vjp
from fpcheck.network.skeleton import (
    Activation,
    Add,
    BatchNorm,
    Conv,
    Dense,
    Flatten,
    Input,
    LayerNorm,
    Pool,
    Reshape,
    Skeleton,
)

torch = pytest.importorskip("torch")
functional = torch.nn.functional

RELATIVE = 1e-12  # float64 against float64: a few roundings, whatever the order of summation
DIFFERENCE = 1e-6  # central differences with step 1e-5: h^2 and the rounding error over h

RNG = np.random.default_rng(20)
X1 = RNG.normal(size=(4, 12))
XC1 = RNG.normal(size=(3, 4, 13))
XC2 = RNG.normal(size=(3, 4, 9, 8))


def draw(**shapes):
    return {name: RNG.normal(size=shape) for name, shape in shapes.items()}


def tensors(parameters):
    return {name: torch.tensor(value) for name, value in parameters.items()}


def single(x, node, parameters):
    return Network(Skeleton((Input("x", x.shape[1:]), node)), parameters)


def conv_case(x, function, kernel, in_out=False, **options):
    groups = options.get("groups", 1)
    parameters = draw(w=(6, 4 // groups, *kernel), b=(6,))
    pads = options.pop("padding", (0,) * len(kernel))
    node = Conv(
        "c",
        ("x",),
        6,
        kernel,
        "w",
        "b",
        padding=tuple((p, p) for p in pads),
        layout="in_out" if in_out else "out_in",
        **options,
    )
    stored = dict(parameters)
    if in_out:
        stored["w"] = np.moveaxis(parameters["w"], (0, 1), (-1, -2))

    def reference(t):
        p = tensors(parameters)
        return function(t, p["w"], p["b"], padding=tuple(pads), **options)

    return x, single(x, node, stored), reference


def dense_case(x, layout="out_in", bias=True):
    parameters = draw(w=(7, x.shape[-1]), b=(7,))
    stored = {**parameters, "w": parameters["w"] if layout == "out_in" else parameters["w"].T}
    node = Dense("d", ("x",), 7, "w", "b" if bias else None, layout)
    p = tensors(parameters)
    return (
        x,
        single(x, node, stored),
        lambda t: functional.linear(t, p["w"], p["b"] if bias else None),
    )


def batch_norm_case(x):
    parameters = draw(mean=x.shape[1], weight=x.shape[1], bias=x.shape[1])
    parameters["variance"] = RNG.uniform(0.1, 2.0, x.shape[1])
    node = BatchNorm("n", ("x",), "mean", "variance", "weight", "bias", 1e-3)
    p = tensors(parameters)

    def reference(t):
        return functional.batch_norm(t, p["mean"], p["variance"], p["weight"], p["bias"], eps=1e-3)

    return x, single(x, node, parameters), reference


def layer_norm_case(x, axes):
    shape = x.shape[1:] if axes == 0 else x.shape[-axes:]
    parameters = draw(weight=shape, bias=shape)
    node = LayerNorm("n", ("x",), "weight", "bias", 1e-5, axes)
    p = tensors(parameters)
    return (
        x,
        single(x, node, parameters),
        lambda t: functional.layer_norm(t, shape, p["weight"], p["bias"], 1e-5),
    )


def pool_case(x, kind, function, *window):
    size, stride, pads = window
    node = Pool("p", ("x",), kind, size, stride, tuple((p, p) for p in pads))
    return x, single(x, node, {}), lambda t: function(t, size, stride, pads)


def residual_case(x):
    parameters = draw(w=(x.shape[1], x.shape[1]), b=(x.shape[1],))
    nodes = (
        Input("x", x.shape[1:]),
        Dense("d", ("x",), x.shape[1], "w", "b"),
        Activation("a", ("d",), activation("tanh")),
        Add("s", ("x", "a", "a")),
    )
    p = tensors(parameters)

    def reference(t):
        return t + 2.0 * torch.tanh(functional.linear(t, p["w"], p["b"]))

    return x, Network(Skeleton(nodes), parameters), reference


CASES = {
    "dense": lambda: dense_case(X1),
    "dense stored (in, out)": lambda: dense_case(X1, "in_out"),
    "dense without bias": lambda: dense_case(X1, bias=False),
    "dense over the last of two axes": lambda: dense_case(XC1),
    "conv1d": lambda: conv_case(XC1, functional.conv1d, (3,)),
    "conv1d, strided, dilated, grouped, padded": lambda: conv_case(
        XC1, functional.conv1d, (3,), stride=(2,), dilation=(2,), groups=2, padding=(2,)
    ),
    "conv1d stored (kernel, in, out)": lambda: conv_case(XC1, functional.conv1d, (3,), in_out=True),
    "conv2d": lambda: conv_case(XC2, functional.conv2d, (3, 2)),
    "conv2d, strided, dilated, grouped, padded": lambda: conv_case(
        XC2, functional.conv2d, (3, 2), stride=(2, 1), dilation=(1, 2), groups=2, padding=(1, 2)
    ),
    "conv2d stored (*kernel, in, out)": lambda: conv_case(
        XC2, functional.conv2d, (3, 2), in_out=True
    ),
    "batch norm of units": lambda: batch_norm_case(X1),
    "batch norm of channels": lambda: batch_norm_case(XC2),
    "layer norm of a row": lambda: layer_norm_case(X1, 0),
    "layer norm of the last axis": lambda: layer_norm_case(XC1, 1),
    "max pool 1d": lambda: pool_case(XC1, "max", functional.max_pool1d, (3,), (2,), (1,)),
    "max pool 2d": lambda: pool_case(XC2, "max", functional.max_pool2d, (3, 2), (2, 2), (1, 0)),
    "mean pool 1d": lambda: pool_case(XC1, "mean", functional.avg_pool1d, (3,), (2,), (1,)),
    "mean pool 2d": lambda: pool_case(XC2, "mean", functional.avg_pool2d, (2, 3), (1, 2), (0, 1)),
    "flatten": lambda: (
        XC2,
        single(XC2, Flatten("f", ("x",)), {}),
        lambda t: t.flatten(1),
    ),
    "reshape": lambda: (
        XC2,
        single(XC2, Reshape("r", ("x",), (8, -1)), {}),
        lambda t: t.reshape(len(t), 8, -1),
    ),
    "residual sum": lambda: residual_case(X1),
}

TORCH_ACTIVATIONS = {
    "identity": ({}, lambda t: t),
    "tanh": ({}, torch.tanh),
    "sigmoid": ({}, torch.sigmoid),
    "relu": ({}, torch.relu),
    "leaky_relu": ({"negative_slope": 0.2}, lambda t: functional.leaky_relu(t, 0.2)),
    "elu": ({"alpha": 1.5}, lambda t: functional.elu(t, 1.5)),
    "selu": ({}, functional.selu),
    "gelu": ({}, functional.gelu),
    "gelu_tanh": ({}, lambda t: functional.gelu(t, approximate="tanh")),
    "silu": ({}, functional.silu),
    # PyTorch's own softplus turns linear at 20; a higher threshold leaves the function alone.
    "softplus": ({}, lambda t: functional.softplus(t, threshold=1e9)),
    "softsign": ({}, functional.softsign),
    "erf": ({}, torch.erf),
    "hardtanh": ({"low": -0.5, "high": 2.0}, lambda t: functional.hardtanh(t, -0.5, 2.0)),
    "sin": ({}, torch.sin),
    "shifted_relu": ({"tau": 0.3}, lambda t: torch.relu(t - 0.3)),
    "soft_threshold": ({"tau": 0.3}, lambda t: functional.softshrink(t, 0.3)),
    "crelu": ({"tau": 0.3, "m": 0.8}, lambda t: functional.hardtanh(t - 0.3, 0.0, 0.8)),
    "cst": (
        {"tau": 0.3, "m": 0.8},
        lambda t: torch.sign(t) * functional.hardtanh(t.abs() - 0.3, 0.0, 0.8),
    ),
}


def assert_close(ours, theirs):
    scale = np.abs(theirs).max() or 1.0
    np.testing.assert_allclose(ours, theirs, rtol=0.0, atol=RELATIVE * scale)


def reference_jacobian(function, row):
    jac = torch.autograd.functional.jacobian(function, torch.tensor(row[None]))
    return jac.numpy().reshape(-1, row.size)


@pytest.mark.parametrize("name", CASES)
def test_forward_pass_and_jacobian_are_those_of_pytorch(name):
    x, network, reference = CASES[name]()
    assert_close(forward(network.program, x), reference(torch.tensor(x)).numpy())
    for row in x:
        assert_close(jacobian(network.program, row), reference_jacobian(reference, row))


@pytest.mark.parametrize("name", CASES)
def test_products_are_adjoint_and_agree_row_by_row(name):
    x, network, _ = CASES[name]()
    program = network.program
    tangents = RNG.normal(size=x.shape)
    values = trace(program, x)
    along = jvp(program, values, tangents)
    back = RNG.normal(size=along.shape)
    pulled = vjp(program, values, back)
    rows = len(x)
    left = (along * back).reshape(rows, -1).sum(axis=1)
    right = (tangents * pulled).reshape(rows, -1).sum(axis=1)
    np.testing.assert_allclose(left, right, rtol=1e-11, atol=1e-11)
    single_row = trace(program, x[:1])
    jac = jacobian(program, x[0])
    every_tangent = jvp(program, single_row, tangents)
    assert_close(every_tangent.reshape(rows, -1), tangents.reshape(rows, -1) @ jac.T)
    assert_close(vjp(program, single_row, back).reshape(rows, -1), back.reshape(rows, -1) @ jac)


@pytest.mark.parametrize("name", CASES)
def test_jacobian_agrees_with_finite_differences(name):
    x, network, _ = CASES[name]()
    row, h = x[0], 1e-5
    steps = h * np.eye(row.size).reshape(-1, *row.shape)
    ahead = forward(network.program, row + steps).reshape(row.size, -1)
    behind = forward(network.program, row - steps).reshape(row.size, -1)
    numerical = ((ahead - behind) / (2.0 * h)).T
    np.testing.assert_allclose(jacobian(network.program, row), numerical, atol=DIFFERENCE)


def activation_network(name, parameters):
    node = Activation("a", ("x",), activation(name, parameters))
    return Network(Skeleton((Input("x", (9,)), node)), {})


@pytest.mark.parametrize("name", TORCH_ACTIVATIONS)
@pytest.mark.parametrize("scale", [1e-3, 1.0, 8.0, 40.0])
def test_activation_and_slope_are_those_of_pytorch(name, scale):
    parameters, reference = TORCH_ACTIVATIONS[name]
    x = scale * RNG.normal(size=(50, 9))
    program = activation_network(name, parameters).program
    t = torch.tensor(x, requires_grad=True)
    y = reference(t)
    y.sum().backward()
    assert_close(forward(program, x), y.detach().numpy())
    assert_close(vjp(program, trace(program, x), np.ones_like(x)), t.grad.numpy())


@pytest.mark.parametrize(
    "name", ["relu", "leaky_relu", "elu", "selu", "hardtanh", "soft_threshold", "softsign"]
)
def test_slope_at_a_kink_is_the_one_that_pytorch_takes(name):
    parameters, reference = TORCH_ACTIVATIONS[name]
    function = activation(name, parameters)
    kinks = np.array(function.kinks)
    t = torch.tensor(kinks, requires_grad=True)
    reference(t).sum().backward()
    np.testing.assert_array_equal(function.derivative(kinks), t.grad.numpy())


def test_every_registered_activation_is_held_against_pytorch():
    assert set(ACTIVATIONS) - set(TORCH_ACTIVATIONS) == {"step"}


def test_step_runs_forward_and_refuses_a_jacobian():
    program = activation_network("step", {}).program
    x = np.array([[-1.0, 0.0, 2.0, -0.0, 1e-300, -3.0, 5.0, 1.0, -1.0]])
    np.testing.assert_array_equal(forward(program, x), [[0, 0, 1, 0, 1, 0, 1, 1, 0]])
    with pytest.raises(UnsupportedOperationError, match="no useful derivative"):
        jacobian(program, x[0])


def test_backward_gives_the_gradient_at_every_node():
    x, network, _ = residual_case(X1)
    values = trace(network.program, x)
    gradients = backward(network.program, values, np.ones((len(x), 12)))
    t = torch.tensor(x, requires_grad=True)
    weight = torch.tensor(network.parameters["w"])
    inner = functional.linear(t, weight, torch.tensor(network.parameters["b"]))
    inner.retain_grad()
    (t + 2.0 * torch.tanh(inner)).sum().backward()
    assert_close(gradients["x"], t.grad.numpy())
    assert_close(gradients["d"], inner.grad.numpy())


def test_blocks_of_rows_do_not_change_what_a_row_gives():
    x = RNG.normal(size=(700, 12))
    _, network, reference = dense_case(X1)
    assert_close(forward(network.program, x), reference(torch.tensor(x)).numpy())


@pytest.mark.parametrize("widths", [(5, 9, 7, 5), (12, 9, 3), (3, 9, 12), (6, 2), (4, 4, 4, 4, 4)])
def test_the_jacobian_of_a_dense_chain_is_that_of_pytorch(widths):
    nodes, parameters, layers = [Input("x", widths[:1])], {}, []
    for index, (n_in, n_out) in enumerate(itertools.pairwise(widths)):
        weight, bias = RNG.normal(size=(n_out, n_in)), RNG.normal(size=n_out)
        parameters |= {f"w{index}": weight, f"b{index}": bias}
        layers.append((torch.tensor(weight), torch.tensor(bias)))
        source = nodes[-1].name
        nodes.append(Dense(f"d{index}", (source,), n_out, f"w{index}", f"b{index}"))
        nodes.append(Activation(f"a{index}", (f"d{index}",), activation("tanh")))
    program = Network(Skeleton(tuple(nodes)), parameters).program

    def reference(t):
        for weight, bias in layers:
            t = torch.tanh(functional.linear(t, weight, bias))
        return t

    assert program.chain is not None
    for row in RNG.normal(size=(3, widths[0])):
        assert_close(jacobian(program, row), reference_jacobian(reference, row))
