"""The bands of plain chains, made of all layers at once, against those made node by node."""

from __future__ import annotations

import math
from dataclasses import fields

import numpy as np
import pytest
from finite_networks import SCALES, act, chain, dense, drawn, laws

from fpcheck.network.skeleton import Activation, Flatten, Input, Skeleton
from fpcheck.theory.finite_width import bands
from fpcheck.theory.layer_scales import layer_scales
from fpcheck.theory.noise_chain import plain_chain
from fpcheck.theory.propagation import UnitMoments, propagate
from fpcheck.theory.quantiles import log_gamma_range

# Node by node, coefficients are in single precision.
SINGLE = 2e-5


def in_the_way(skeleton):
    """The same network with a node that changes nothing, so that it is followed node by node."""
    first, second, *rest = skeleton.nodes
    flat = Flatten("flat", (first.name,))
    moved = type(second)(**{f.name: getattr(second, f.name) for f in fields(second)} | {
        "inputs": ("flat",)
    })  # fmt: skip
    return Skeleton((first, flat, moved, *rest))


def both_ways(skeleton, sigma, *, inputs, start, by_law=True):
    known_laws = laws(skeleton, *sigma) if by_law else None
    found = []
    for each in (skeleton, in_the_way(skeleton)):
        network = drawn(each, *sigma, np.random.default_rng(3))
        scales = layer_scales(network, known_laws)
        known = propagate(network, scales, start)
        at_once = plain_chain(network, scales, known)
        assert (at_once is None) == (each is not skeleton)
        found.append(bands(network, scales, known, inputs))
    return found


def agree(one, other):
    assert one.keys() == other.keys()
    for name, band in one.items():
        for field in fields(band)[1:]:
            value, expected = getattr(band, field.name), getattr(other[name], field.name)
            if expected is None:
                assert value is None, (name, field.name)
            else:
                assert value == pytest.approx(expected, rel=SINGLE, abs=1e-6), (name, field.name)


@pytest.mark.parametrize("function", sorted(SCALES))
@pytest.mark.parametrize(("depth", "inputs"), [(2, 1), (30, 2), (30, 100)])
@pytest.mark.parametrize("by_law", [True, False])
def test_chains_have_the_bands_that_are_made_node_by_node(function, depth, inputs, by_law):
    skeleton, start = chain(function, 48, depth), UnitMoments(q=0.8, k=0.2)
    agree(*both_ways(skeleton, SCALES[function], inputs=inputs, start=start, by_law=by_law))


def test_unequal_widths_and_functions_do_as_well():
    nodes = [Input("x", (20,)), dense("a", "x", 30), act("pa", "a", "tanh"),
             dense("b", "pa", 70), act("pb", "b", "relu"),
             dense("c", "pb", 25), act("pc", "c", "silu")]  # fmt: skip
    skeleton = Skeleton(tuple(nodes))
    agree(*both_ways(skeleton, (1.7, 0.1), inputs=64, start=UnitMoments(q=1.0, k=0.0)))


def test_inputs_that_nothing_tells_apart_do_as_well():
    """Where k = q there is no contrast, and differences have no noise."""
    skeleton = chain("tanh", 32, 6)
    ordered = both_ways(skeleton, (0.5, 0.3), inputs=10, start=UnitMoments(q=1.0, k=1.0))
    agree(*ordered)
    assert ordered[0]["d0"].c_low is None


@pytest.mark.parametrize(("function", "sigma"), [("tanh", (0.01, 0.0)), ("relu", (1e7, 0.0))])
def test_signals_that_vanish_or_overflow_do_as_well(function, sigma):
    """Up to where infinite width has no number any more; the gradient is not followed back."""
    skeleton = chain(function, 24, 130)
    one, other = both_ways(skeleton, sigma, inputs=10, start=UnitMoments(q=1.0, k=0.1))
    agree(one, other)
    assert one["d3"].q_low is not None
    assert one["out"].q_low is None
    assert all(band.gradient_norm is None for band in one.values())


def test_steps_and_linear_layers_are_left_to_the_other_way():
    for function in ("step", "identity"):
        nodes = [
            Activation(node.name, node.inputs, act("f", "x", function).function)
            if isinstance(node, Activation)
            else node
            for node in chain("tanh", 16, 3).nodes
        ]
        skeleton = Skeleton(tuple(nodes))
        network = drawn(skeleton, 1.0, 0.1, np.random.default_rng(0))
        scales = layer_scales(network)
        known = propagate(network, scales, UnitMoments(q=1.0, k=0.0))
        assert plain_chain(network, scales, known) is None
        assert len(bands(network, scales, known, 10)) == 3


@pytest.mark.parametrize("shapes", [(0.6, 4.0), (0.6, 3e4), (50.0, 3e4), (7.0, 7.0)])
def test_ranges_of_many_laws_are_those_of_each(shapes):
    """Interpolated over the shape of the law from 100 of them on."""
    from scipy.special import polygamma

    shape = np.geomspace(*shapes, 150)
    cumulants = [polygamma(0, shape) - np.log(shape), *(polygamma(n, shape) for n in (1, 2))]
    many = np.array(log_gamma_range(*cumulants, 1e-6))
    each = [log_gamma_range(*(x[i : i + 1] for x in cumulants), 1e-6) for i in range(150)]
    assert np.log(many) == pytest.approx(np.log(np.array(each)[:, :, 0].T), abs=1e-11)
    assert math.isfinite(float(many.max()))
