"""Runs of training against torch.optim, step by step, in float64."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from fpcheck.network.activations import activation
from fpcheck.network.network import Network
from fpcheck.network.skeleton import (
    Activation,
    Add,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    Flatten,
    Input,
    LayerNorm,
    Pool,
    Scale,
    Skeleton,
    Softmax,
)
from fpcheck.network.training import (
    ADAM,
    CROSS_ENTROPY,
    MEAN_SQUARED_ERROR,
    SGD,
    Recipe,
    loss_and_gradient,
    train,
    trained_names,
)

torch = pytest.importorskip("torch")
functional = torch.nn.functional

# Of the largest entry, over 40 steps: roundings of 1e-16 that training blows up a little.
RELATIVE = 1e-10
STEPS = 40
RNG = np.random.default_rng(31)


def mlp(widths, function, layouts=("out_in",), bias=True):
    """A chain with its parameters; `function` behind all layers but the last."""
    nodes, parameters = [Input("x", widths[:1])], {}
    for index, (n_in, n_out) in enumerate(itertools.pairwise(widths)):
        layout = layouts[index % len(layouts)]
        weight = RNG.normal(size=(n_out, n_in)) * n_in**-0.5
        parameters[f"w{index}"] = weight if layout == "out_in" else weight.T.copy()
        if bias:
            parameters[f"b{index}"] = 0.3 * RNG.normal(size=n_out)
        before, last = nodes[-1].name, index == len(widths) - 2
        named = f"b{index}" if bias else None
        nodes.append(Dense(f"d{index}", (before,), n_out, f"w{index}", named, layout))
        if not last:
            nodes.append(Activation(f"a{index}", (f"d{index}",), activation(function)))
    return Network(Skeleton(tuple(nodes)), parameters)


def torch_mlp(network, function):
    layers = [node for node in network.skeleton.nodes if isinstance(node, Dense)]

    def run(t, p):
        for index, layer in enumerate(layers):
            weight = p[layer.weight].T if layer.layout == "in_out" else p[layer.weight]
            t = functional.linear(t, weight, p[layer.bias] if layer.bias else None)
            t = t if index == len(layers) - 1 else function(t)
        return t

    return run


def image_network():
    """Convolutions both ways, norms, a scaled residual sum: everything that can be trained."""
    nodes = (
        Input("x", (2, 8, 8)),
        Conv("c", ("x",), 4, (3, 3), "cw", "cb", padding=((1, 1), (1, 1))),
        BatchNorm("n", ("c",), "mean", "variance", "nw", "nb"),
        Activation("a", ("n",), activation("silu")),
        Pool("p", ("a",), "max", (2, 2)),
        ConvTranspose("t", ("p",), 4, (2, 2), "tw", "tb", stride=(2, 2)),
        Scale("half", ("t",), "half"),
        Add("s", ("half", "a")),
        LayerNorm("l", ("s",), "lw", "lb"),
        Flatten("f", ("l",)),
        Dense("y", ("f",), 3, "w", "b"),
    )
    shapes = {
        "cw": (4, 2, 3, 3),
        "cb": 4,
        "mean": 4,
        "nw": 4,
        "nb": 4,
        "tw": (4, 4, 2, 2),
        "tb": 4,
        "lw": (4, 8, 8),
        "lb": (4, 8, 8),
        "w": (3, 256),
        "b": 3,
    }
    parameters = {name: 0.3 * RNG.normal(size=shape) for name, shape in shapes.items()}
    parameters |= {"variance": RNG.uniform(0.5, 2.0, 4), "half": np.array(0.5)}
    return Network(Skeleton(nodes), parameters)


def torch_image(network):
    mean, variance = (torch.tensor(network.parameters[name]) for name in ("mean", "variance"))

    def run(t, p):
        c = functional.conv2d(t, p["cw"], p["cb"], padding=1)
        a = functional.silu(functional.batch_norm(c, mean, variance, p["nw"], p["nb"]))
        s = functional.conv_transpose2d(functional.max_pool2d(a, 2), p["tw"], p["tb"], stride=2)
        s = functional.layer_norm(0.5 * s + a, (4, 8, 8), p["lw"], p["lb"])
        return functional.linear(s.flatten(1), p["w"], p["b"])

    return run


LOSSES = {
    MEAN_SQUARED_ERROR: functional.mse_loss,
    CROSS_ENTROPY: lambda y, t: (
        functional.cross_entropy(y, t)
        if y.shape[1] > 1
        else functional.binary_cross_entropy_with_logits(y[:, 0], t.double())
    ),
}


def torch_optimiser(recipe, parameters):
    if recipe.optimiser == ADAM:
        return torch.optim.Adam(
            parameters, recipe.rate, recipe.betas, recipe.epsilon, recipe.weight_decay
        )
    return torch.optim.SGD(
        parameters,
        recipe.rate,
        recipe.momentum,
        recipe.dampening,
        recipe.weight_decay,
        recipe.nesterov,
    )


def assert_close(ours, theirs, what):
    scale = np.abs(theirs).max()
    np.testing.assert_allclose(ours, theirs, rtol=0.0, atol=RELATIVE * scale, err_msg=what)


def assert_follows(network, run, inputs, targets, recipe, rate=None):
    """Every step's loss, gradient and parameters are those of PyTorch on the same rows."""
    names = trained_names(network.skeleton)
    tensors = {name: torch.tensor(network.parameters[name], requires_grad=True) for name in names}
    stepper = torch_optimiser(recipe, list(tensors.values()))
    count = 0
    for step in train(network, inputs, targets, recipe, rng=np.random.default_rng(2)):
        rows = slice(None) if step.rows is None else step.rows
        loss = LOSSES[recipe.loss](
            run(torch.tensor(inputs[rows]), tensors), torch.tensor(targets[rows])
        )
        stepper.zero_grad()
        loss.backward()
        assert_close(step.loss, loss.item(), f"loss of step {step.number}")
        for name in names:
            assert_close(step.gradient[name], tensors[name].grad.numpy(), f"gradient of {name}")
            assert_close(step.parameters[name], tensors[name].detach().numpy(), name)
        if rate is not None:
            squares = sum(float((t.detach() ** 2).sum()) for t in tensors.values())
            stepper.param_groups[0]["lr"] = rate(squares**0.5)
        stepper.step()
        count += 1
    assert count == recipe.steps + 1


ROWS = RNG.normal(size=(37, 6))
NUMBERS = RNG.normal(size=(37, 3))
CLASSES = RNG.integers(0, 3, 37)
SIDES = RNG.integers(0, 2, 37)

RECIPES = {
    "plain descent": Recipe(rate=0.1),
    "momentum": Recipe(rate=0.05, momentum=0.9),
    "dampened momentum": Recipe(rate=0.05, momentum=0.8, dampening=0.3),
    "Nesterov's momentum with decay": Recipe(
        rate=0.05, momentum=0.9, nesterov=True, weight_decay=0.01
    ),
    "Adam": Recipe(optimiser=ADAM, rate=0.01),
    "Adam with other betas and decay": Recipe(
        optimiser=ADAM, rate=0.02, betas=(0.8, 0.95), epsilon=1e-5, weight_decay=0.1
    ),
    "Adam on mini-batches": Recipe(optimiser=ADAM, rate=0.01, batch=10),
    "descent on mini-batches": Recipe(rate=0.1, batch=37 // 2),
}


@pytest.mark.parametrize("name", RECIPES)
def test_optimisers_are_those_of_pytorch(name):
    network = mlp((6, 9, 7, 3), "tanh")
    recipe = replace(RECIPES[name], steps=STEPS)
    assert_follows(network, torch_mlp(network, torch.tanh), ROWS, NUMBERS, recipe)


@pytest.mark.parametrize(
    ("outputs", "targets"), [(3, CLASSES), (1, SIDES)], ids=["softmax", "logistic"]
)
@pytest.mark.parametrize("layouts", [("out_in",), ("in_out", "out_in")])
def test_cross_entropy_is_that_of_pytorch(outputs, targets, layouts):
    network = mlp((6, 8, outputs), "relu", layouts)
    recipe = Recipe(CROSS_ENTROPY, ADAM, 0.02, STEPS)
    assert_follows(network, torch_mlp(network, torch.relu), ROWS, targets, recipe)


def test_norm_adaptive_descent_of_a_bias_free_network_divides_by_the_norm_to_the_l_minus_2():
    network = mlp((6, 5, 5, 5, 3), "relu", bias=False)
    recipe = Recipe(rate=0.3, steps=STEPS, norm_adaptive=True)
    run = torch_mlp(network, torch.relu)
    assert_follows(network, run, ROWS, NUMBERS, recipe, rate=lambda norm: 0.3 / norm**2)


@pytest.mark.parametrize("recipe", [Recipe(rate=0.05), Recipe(optimiser=ADAM, rate=0.01)])
def test_convolutions_norms_and_sums_train_as_in_pytorch(recipe):
    network = image_network()
    inputs, labels = RNG.normal(size=(11, 2, 8, 8)), RNG.integers(0, 3, 11)
    recipe = replace(recipe, loss=CROSS_ENTROPY, steps=12)
    assert_follows(network, torch_image(network), inputs, labels, recipe)


def test_statistics_and_constants_are_left_alone():
    network = image_network()
    inputs, labels = RNG.normal(size=(5, 2, 8, 8)), RNG.integers(0, 3, 5)
    *_, last = train(network, inputs, labels, Recipe(CROSS_ENTROPY, steps=3))
    assert set(network.parameters) - set(last.parameters) == {"mean", "variance", "half"}
    assert last.network.parameters["half"] == 0.5
    assert "half" in trained_names(network.skeleton, scales=True)


def test_a_closing_softmax_or_sigmoid_is_part_of_the_loss():
    for outputs, targets, end in (
        (3, CLASSES, Softmax("end", ("d1",))),
        (1, SIDES, Activation("end", ("d1",), activation("sigmoid"))),
    ):
        open_network = mlp((6, 8, outputs), "tanh")
        skeleton = Skeleton((*open_network.skeleton.nodes, end))
        closed = Network(skeleton, open_network.parameters)
        ours = loss_and_gradient(closed, ROWS, targets, CROSS_ENTROPY)
        theirs = loss_and_gradient(open_network, ROWS, targets, CROSS_ENTROPY)
        assert ours[0] == theirs[0]
        for name, gradient in theirs[1].items():
            np.testing.assert_array_equal(ours[1][name], gradient)


def test_cross_entropy_of_huge_logits_neither_overflows_nor_loses_its_gradient():
    """One layer, one row: the gradient by the bias is the share minus the label's one."""
    network = Network(
        Skeleton((Input("x", (1,)), Dense("d", ("x",), 2, "w", "b"))),
        {"w": np.array([[800.0], [-800.0]]), "b": np.zeros(2)},
    )
    loss, gradient = loss_and_gradient(network, np.ones((1, 1)), np.array([1]), CROSS_ENTROPY)
    assert loss == 1600.0
    np.testing.assert_array_equal(gradient["b"], [1.0, -1.0])
    one = Network(
        Skeleton((Input("x", (1,)), Dense("d", ("x",), 1, "w", "b"))),
        {"w": np.array([[800.0]]), "b": np.zeros(1)},
    )
    loss, gradient = loss_and_gradient(one, np.ones((1, 1)), np.array([0]), CROSS_ENTROPY)
    assert (loss, gradient["b"][0]) == (800.0, 1.0)


def test_names_choose_what_is_trained():
    network = mlp((6, 8, 3), "tanh")
    recipe = Recipe(rate=0.1, steps=5)
    *_, last = train(network, ROWS, NUMBERS, recipe, names=("w1",))
    np.testing.assert_array_equal(last.network.parameters["w0"], network.parameters["w0"])
    whole = next(train(network, ROWS, NUMBERS, recipe))
    part = next(train(network, ROWS, NUMBERS, recipe, names=("w1",)))
    assert_close(part.gradient["w1"], whole.gradient["w1"], "w1")
    assert recipe.optimiser == SGD
