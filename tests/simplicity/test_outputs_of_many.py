"""Outputs of many networks: three bodies, one result, however the work is cut."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from planted import chain, classes, planted, prior_of

from fpcheck.core.progress import Monitor
from fpcheck.network.activations import ACTIVATIONS, activation
from fpcheck.network.program import forward
from fpcheck.network.skeleton import (
    Activation,
    Add,
    Conv,
    Dense,
    Flatten,
    Input,
    Pool,
    Skeleton,
)
from fpcheck.simplicity import outputs as module
from fpcheck.simplicity.outputs import chain_plan, cost, outputs

RTOL, ATOL = 1e-12, 1e-12  # sums of some tens of terms of order 1 in another order


def drawn(prior, count, seed=0):
    return prior.parameters(prior.draw(np.random.default_rng(seed), count))


def one_by_one(prior, parameters, rows):
    return np.stack(
        [forward(prior.network(each).program, rows).reshape(len(rows), -1) for each in parameters]
    )


def images(rows=5, seed=0):
    rng = np.random.default_rng(seed)
    return classes(rng.standard_normal((rows, 1, 6, 6)), np.arange(rows) % 3, 3)


def small_conv():
    relu = activation("relu")
    return Skeleton((
        Input("x", (1, 6, 6)), Conv("c", ("x",), 4, (3, 3), "c.w", "c.b"),
        Activation("r", ("c",), relu), Pool("p", ("r",), "max", (2, 2)), Flatten("f", ("p",)),
        Dense("h", ("f",), 16, "h.w", "h.b"), Add("a", ("h", "f")), Dense("o", ("a",), 3, "o.w"),
    ))  # fmt: skip


CHAINS = [
    (chain(10, 16, 1), 80), (chain(3, 1), 7), (chain(2, 20, 20, 1, function="relu"), 16),
    (chain(5, 9, 4, 3, function="gelu", bias=False), 200), (chain(70, 33, 2), 9),
]  # fmt: skip


@pytest.mark.parametrize("body", ["kernel", "products", "choice"])
@pytest.mark.parametrize(("skeleton", "rows"), CHAINS)
def test_every_body_gives_what_the_networks_give_one_by_one(skeleton, rows, body, monkeypatch):
    if body != "choice":
        monkeypatch.setattr(module, "NARROW_WIDTH", {"kernel": 10**6, "products": 0}[body])
    wanted = skeleton.output_shape[0]
    x = np.random.default_rng(1).standard_normal((rows, *skeleton.input_shape))
    labelling = classes(x, np.arange(rows) % max(2, wanted), max(2, wanted))
    if wanted == 2:
        labelling = classes(x, np.arange(rows) % 3, 3)
    prior = prior_of(skeleton, labelling)
    parameters = drawn(prior, 6)
    found = outputs(prior, parameters, x)
    assert_allclose(found, one_by_one(prior, parameters, x), rtol=RTOL, atol=ATOL)


def ready(kind):
    """The name of a kind of activations, with parameters where it needs them."""
    needed = [0.3 + index for index, (_, default) in enumerate(kind.parameters) if default is None]
    return f"{kind.name}({', '.join(map(str, needed))})" if needed else kind.name


@pytest.mark.parametrize("name", [ready(kind) for kind in ACTIVATIONS.values()])
def test_the_kernel_knows_every_activation(name):
    labelling = planted(30)
    prior = prior_of(chain(10, 6, 1, function=name), labelling)
    parameters = drawn(prior, 3)
    found = outputs(prior, parameters, labelling.rows)
    assert_allclose(found, one_by_one(prior, parameters, labelling.rows), rtol=RTOL, atol=ATOL)


def test_any_other_skeleton_goes_by_its_program():
    labelling = images()
    prior = prior_of(small_conv(), labelling)
    assert chain_plan(prior) is None
    parameters = drawn(prior, 3)
    found = outputs(prior, parameters, labelling.rows)
    assert_allclose(found, one_by_one(prior, parameters, labelling.rows), rtol=RTOL, atol=ATOL)


@pytest.mark.parametrize("body", ["kernel", "products", "program"])
def test_a_network_gives_the_same_bits_whichever_others_stand_beside_it(body, monkeypatch):
    if body == "program":
        labelling, skeleton = images(), small_conv()
    else:
        labelling, skeleton = planted(70), chain(10, 17, 5, 1)
        monkeypatch.setattr(module, "NARROW_WIDTH", {"kernel": 10**6, "products": 0}[body])
    prior = prior_of(skeleton, labelling)
    parameters = drawn(prior, 23)
    whole = outputs(prior, parameters, labelling.rows)
    parts = [
        outputs(prior, parameters[a:b], labelling.rows) for a, b in ((0, 1), (1, 12), (12, 23))
    ]
    assert_array_equal(whole, np.concatenate(parts))
    monkeypatch.setattr(module, "WORK", 1.0)  # one network a call
    assert_array_equal(whole, outputs(prior, parameters, labelling.rows))


def test_images_enter_a_dense_chain_flat():
    labelling = images()
    nodes = (Input("x", (1, 6, 6)), Flatten("f", ("x",)), Dense("d", ("f",), 3, "w", "b"))
    prior = prior_of(Skeleton(nodes), labelling)
    assert chain_plan(prior) is not None
    parameters = drawn(prior, 4)
    found = outputs(prior, parameters, labelling.rows)
    assert_allclose(found, one_by_one(prior, parameters, labelling.rows), rtol=RTOL, atol=ATOL)


def test_two_activations_in_a_row_are_no_plain_chain():
    nodes = list(chain(4, 3, 1).nodes)
    nodes.append(Activation("one", (nodes[-1].name,), activation("softplus")))
    nodes.append(Activation("two", ("one",), activation("sin")))
    labelling = classes(np.random.default_rng(0).standard_normal((4, 4)), [0, 1, 0, 1])
    prior = prior_of(Skeleton(tuple(nodes)), labelling)
    assert chain_plan(prior) is None


def test_scaled_neurons_and_lattices_go_the_same_way():
    labelling = planted(20)
    prior = prior_of(chain(10, 7, 1, function="relu"), labelling, "lattice:5", scaled=True)
    parameters = drawn(prior, 5)
    found = outputs(prior, parameters, labelling.rows)
    assert_allclose(found, one_by_one(prior, parameters, labelling.rows), rtol=RTOL, atol=ATOL)


def test_overflow_is_no_warning_and_no_number():
    labelling = planted(4)
    prior = prior_of(chain(10, 3, 1, function="relu"), labelling)
    found = outputs(prior, np.full((2, prior.parameter_size), 1e300), labelling.rows)
    assert not np.isfinite(found).any() or np.abs(found).max() > 1e300


def test_no_networks_give_no_outputs():
    labelling = planted(4)
    prior = prior_of(chain(10, 3, 1), labelling)
    assert outputs(prior, np.empty((0, prior.parameter_size)), labelling.rows).shape == (0, 4, 1)


def test_an_interruption_is_obeyed_between_calls():
    labelling = planted(4)
    prior = prior_of(chain(10, 3, 1), labelling)
    monitor = Monitor()
    monitor.stop.set()
    with pytest.raises(KeyboardInterrupt):
        outputs(prior, drawn(prior, 2), labelling.rows, monitor)


def test_the_cost_grows_with_the_rows():
    prior = prior_of(chain(10, 16, 1), planted(4))
    assert cost(prior, 80) == 80 * (10 * 16 + 16 + 16)
