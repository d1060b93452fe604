"""Every node type's gradient by its parameters against PyTorch's autograd."""

import numpy as np
import pytest

from fpcheck.network.activations import activation
from fpcheck.network.network import Network, needed_parameters
from fpcheck.network.program import forward, parameter_gradients, trace
from fpcheck.network.skeleton import (
    Activation,
    Add,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    Flatten,
    GroupNorm,
    Input,
    LayerNorm,
    RMSNorm,
    Scale,
    Skeleton,
)

torch = pytest.importorskip("torch")
functional = torch.nn.functional

RELATIVE = 1e-12  # float64 against float64: a few roundings, whatever the order of summation
RNG = np.random.default_rng(24)
X1 = RNG.normal(size=(5, 12))
XC1 = RNG.normal(size=(4, 6, 9))
XC2 = RNG.normal(size=(3, 4, 7, 6))


def case(x, node, reference, stored=None, **parameters):
    """The rows, the network, the function of (t, parameters) in PyTorch, its parameters.

    stored: how those lie in the network that lie in another way.
    """
    network = Network(Skeleton((Input("x", x.shape[1:]), node)), {**parameters, **(stored or {})})
    return x, network, reference, parameters


def normal(*shape):
    return RNG.normal(size=shape)


def dense(x, layout):
    weight = normal(7, x.shape[-1])
    node = Dense("d", ("x",), 7, "w", "b", layout)
    stored = {"w": weight.T} if layout == "in_out" else None
    return case(
        x, node, lambda t, p: functional.linear(t, p["w"], p["b"]), stored, w=weight, b=normal(7)
    )


def conv(x, function, kernel, layout="out_in", **options):
    weight = normal(6, x.shape[1] // options.get("groups", 1), *kernel)
    pads = options.pop("padding", (0,) * len(kernel))
    sides = tuple((pad, pad) for pad in pads)
    node = Conv("c", ("x",), 6, kernel, "w", "b", padding=sides, layout=layout, **options)
    stored = {"w": np.moveaxis(weight, (0, 1), (-1, -2))} if layout == "in_out" else None

    def reference(t, p):
        return function(t, p["w"], p["b"], padding=pads, **options)

    return case(x, node, reference, stored, w=weight, b=normal(6))


def transposed(x, function, kernel, layout="out_in", **options):
    weight = normal(x.shape[1], 6 // options.get("groups", 1), *kernel)
    pads = options.pop("padding", (0,) * len(kernel))
    sides = tuple((pad, pad) for pad in pads)
    node = ConvTranspose("c", ("x",), 6, kernel, "w", "b", padding=sides, layout=layout, **options)
    stored = {"w": np.moveaxis(weight, (0, 1), (-1, -2))} if layout == "in_out" else None

    def reference(t, p):
        return function(t, p["w"], p["b"], padding=pads, **options)

    return case(x, node, reference, stored, w=weight, b=normal(6))


def batch_norm(x):
    mean, variance = normal(x.shape[1]), RNG.uniform(0.1, 2.0, x.shape[1])
    node = BatchNorm("n", ("x",), "mean", "variance", "w", "b", 1e-3)

    def reference(t, p):
        fixed = torch.tensor(mean), torch.tensor(variance)
        return functional.batch_norm(t, *fixed, p["w"], p["b"], eps=1e-3)

    stored = {"mean": mean, "variance": variance}
    return case(x, node, reference, stored, w=normal(x.shape[1]), b=normal(x.shape[1]))


def layer_norm(x, axes):
    shape = x.shape[-axes:] if axes else x.shape[1:]
    node = LayerNorm("n", ("x",), "w", "b", 1e-5, axes)
    return case(
        x,
        node,
        lambda t, p: functional.layer_norm(t, shape, p["w"], p["b"]),
        w=normal(*shape),
        b=normal(*shape),
    )


def rms_norm(x):
    node = RMSNorm("n", ("x",), "w", 1e-6, 1)
    shape = x.shape[-1:]
    return case(x, node, lambda t, p: functional.rms_norm(t, shape, p["w"], 1e-6), w=normal(*shape))


def group_norm(x, groups):
    node = GroupNorm("n", ("x",), groups, "w", "b", 1e-5)
    channels = x.shape[1]
    return case(
        x,
        node,
        lambda t, p: functional.group_norm(t, groups, p["w"], p["b"]),
        w=normal(channels),
        b=normal(channels),
    )


def scale(x, factor, shift):
    node = Scale("s", ("x",), "w", "b")
    return case(x, node, lambda t, p: t * p["w"] + p["b"], w=normal(*factor), b=normal(*shift))


CASES = {
    "dense": lambda: dense(X1, "out_in"),
    "dense stored (in, out)": lambda: dense(X1, "in_out"),
    "dense over the last of two axes": lambda: dense(XC1, "out_in"),
    "conv1d": lambda: conv(XC1, functional.conv1d, (3,)),
    "conv1d, strided, dilated, grouped, padded": lambda: conv(
        XC1, functional.conv1d, (3,), stride=(2,), dilation=(2,), groups=2, padding=(2,)
    ),
    "conv2d": lambda: conv(XC2, functional.conv2d, (3, 2), padding=(1, 0)),
    "conv2d, strided, dilated, grouped": lambda: conv(
        XC2, functional.conv2d, (3, 2), stride=(2, 1), dilation=(1, 2), groups=2
    ),
    "conv2d stored (*kernel, in, out)": lambda: conv(
        XC2, functional.conv2d, (3, 2), layout="in_out"
    ),
    "transposed conv1d": lambda: transposed(XC1, functional.conv_transpose1d, (3,)),
    "transposed conv2d, strided with a rest, grouped": lambda: transposed(
        XC2,
        functional.conv_transpose2d,
        (3, 2),
        stride=(2, 3),
        output_padding=(1, 2),
        groups=2,
        padding=(1, 0),
    ),
    "transposed conv2d stored (*kernel, out, in)": lambda: transposed(
        XC2, functional.conv_transpose2d, (2, 3), layout="in_out", stride=(2, 1)
    ),
    "batch norm of units": lambda: batch_norm(X1),
    "batch norm of channels": lambda: batch_norm(XC2),
    "layer norm of a row": lambda: layer_norm(XC1, 0),
    "layer norm of the last axis": lambda: layer_norm(XC1, 1),
    "root mean square norm": lambda: rms_norm(XC1),
    "group norm": lambda: group_norm(XC2, 2),
    "instance norm": lambda: group_norm(XC2, 4),
    "scale of a row": lambda: scale(X1, (12,), ()),
    "scale of channels": lambda: scale(XC2, (4, 1, 1), (1, 7, 1)),
}


def autograd(function, parameters, x, back):
    tensors = {k: torch.tensor(v, requires_grad=True) for k, v in parameters.items()}
    (function(torch.tensor(x), tensors) * torch.tensor(back)).sum().backward()
    return {name: tensor.grad.numpy() for name, tensor in tensors.items()}


def assert_close(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=0.0, atol=RELATIVE * np.abs(theirs).max())


@pytest.mark.parametrize("name", CASES)
def test_gradients_by_parameters_are_those_of_pytorch(name):
    x, network, reference, parameters = CASES[name]()
    back = RNG.normal(size=forward(network.program, x).shape)
    ours = parameter_gradients(network.program, trace(network.program, x), back)
    theirs = autograd(reference, parameters, x, back)
    assert set(ours) == set(theirs)
    for key, gradient in theirs.items():
        assert ours[key].shape == network.parameters[key].shape
        as_stored = gradient
        if network.parameters[key] is not parameters[key]:
            as_stored = np.moveaxis(gradient, (0, 1), (-1, -2))
        assert_close(ours[key], as_stored)


def test_a_parameter_that_layers_share_has_the_sum_of_their_gradients():
    x, weight, bias = normal(6, 5), normal(5, 5), normal(5)
    nodes = (
        Input("x", (5,)),
        Dense("a", ("x",), 5, "w", "b"),
        Activation("f", ("a",), activation("tanh")),
        Dense("c", ("f",), 5, "w", "b"),
        Add("s", ("c", "f")),
        Flatten("y", ("s",)),
    )
    network = Network(Skeleton(nodes), {"w": weight, "b": bias})

    def reference(t, p):
        inner = torch.tanh(functional.linear(t, p["w"], p["b"]))
        return functional.linear(inner, p["w"], p["b"]) + inner

    back = normal(6, 5)
    ours = parameter_gradients(network.program, trace(network.program, x), back)
    theirs = autograd(reference, {"w": weight, "b": bias}, x, back)
    for key in ("w", "b"):
        assert_close(ours[key], theirs[key])


def test_what_the_output_does_not_depend_on_has_no_gradient():
    nodes = (
        Input("x", (5,)),
        Dense("aside", ("x",), 3, "v"),
        Dense("y", ("x",), 2, "w"),
    )
    network = Network(Skeleton(nodes), {"v": normal(3, 5), "w": normal(2, 5)})
    x = normal(4, 5)
    found = parameter_gradients(network.program, trace(network.program, x), np.ones((4, 2)))
    assert set(found) == {"w"}
    assert [name for _, name, _ in needed_parameters(network.skeleton)] == ["v", "w"]
