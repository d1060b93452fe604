"""The kernels of finite random networks, drawn and differentiated, beside infinite width."""

from __future__ import annotations

import numpy as np

from fpcheck.network.network import Network
from fpcheck.network.operators.windows import Window
from fpcheck.network.program import backward, trace
from fpcheck.network.skeleton import Conv, ConvTranspose, Dense, Skeleton, fan_in, stored_shape
from fpcheck.theory.dual_kernel import dual_kernel
from fpcheck.theory.layer_scales import LayerScale

SIGMA = (1.8, 0.1)


def scales_of(skeleton, sigma=SIGMA):
    return {
        node.name: LayerScale(node.name, *sigma, 0, 0)
        for node in skeleton.nodes
        if hasattr(node, "weight") and hasattr(node, "layout")
    }


def random_network(skeleton, sigma, rng, extra=None):
    """Normal weights and biases of these scales; extra: the constants of norms by name."""
    parameters = dict(extra or {})
    for node in skeleton.nodes:
        if isinstance(node, Dense | Conv | ConvTranspose):
            before = skeleton.shapes[node.inputs[0]]
            spread = np.sqrt(sigma[0] / fan_in(node, before))
            parameters[node.weight] = spread * rng.standard_normal(stored_shape(node, before))
            units = node.units if isinstance(node, Dense) else node.channels
            parameters[node.bias] = np.sqrt(sigma[1]) * rng.standard_normal(units)
    return Network(skeleton, parameters)


def features_kernel(network, x, name):
    """The mean product of two rows' values over all units and positions of one node."""
    values = trace(network.program, x)[name].reshape(len(x), -1)
    return values @ values.T / values.shape[1]


def tangent_kernel(network, x, entries, sigma=SIGMA):
    """The NTK of the network's output, mean over its given entries, in the NTK parameterisation.

    Layer by layer from the gradients of its values: <dW, dW'> is a sum over pairs of positions.
    """
    skeleton = network.skeleton
    shape = skeleton.output_shape
    cotangents = np.zeros((len(entries), int(np.prod(shape))))
    cotangents[np.arange(len(entries)), entries] = 1.0
    traces = [trace(network.program, row[None]) for row in x]
    gradients = [
        backward(network.program, values, cotangents.reshape(-1, *shape)) for values in traces
    ]
    total = np.zeros((len(x), len(x)))
    for node in skeleton.nodes:
        if not isinstance(node, Dense | Conv):
            continue
        before = skeleton.shapes[node.inputs[0]]
        inputs = [_inputs(node, values[node.inputs[0]]) for values in traces]  # (groups, P, in)
        outputs = [_outputs(node, each[node.name]) for each in gradients]  # (U, groups, P, out)
        for i in range(len(x)):
            for j in range(i + 1):
                met = inputs[i] @ inputs[j].transpose(0, 2, 1)
                slopes = outputs[i] @ outputs[j].transpose(0, 1, 3, 2)
                weights = np.sum(slopes * met) / len(entries) * sigma[0] / fan_in(node, before)
                biases = np.sum(slopes) / len(entries) * sigma[1]
                total[i, j] += weights + biases
                total[j, i] = total[i, j]
    return total


def _inputs(node, value):
    if isinstance(node, Dense):
        return value.reshape(1, -1, value.shape[-1])
    window = Window(node.kernel, node.stride, node.dilation, node.padding)
    unfolded = window.unfold(value)[0]  # (channels, taps, *positions)
    channels, taps = unfolded.shape[:2]
    grouped = unfolded.reshape(node.groups, channels // node.groups * taps, -1)
    return np.ascontiguousarray(grouped.transpose(0, 2, 1))


def _outputs(node, gradient):
    many = len(gradient)
    if isinstance(node, Dense):
        return gradient.reshape(many, 1, -1, gradient.shape[-1])
    grouped = gradient.reshape(many, node.groups, gradient.shape[1] // node.groups, -1)
    return grouped.transpose(0, 1, 3, 2)


def trials(nodes, x, *, draws, ntk=False, outputs=16, sigma=SIGMA, extra=None, seed=0):
    """(theory, the draws' kernels) of the last node's value."""
    skeleton = Skeleton(tuple(nodes))
    name = skeleton.nodes[-1].name
    found = []
    for draw in range(draws):
        rng = np.random.default_rng([seed, draw])
        network = random_network(skeleton, sigma, rng, extra)
        if ntk:
            size = int(np.prod(skeleton.output_shape))
            entries = rng.choice(size, min(outputs, size), replace=False)
            found.append(tangent_kernel(network, x, entries, sigma))
        else:
            found.append(features_kernel(network, x, name))
    kernel = dual_kernel(skeleton, scales_of(skeleton, sigma), x, node=name, ntk=ntk,
                         parameters=extra)  # fmt: skip
    return kernel, np.array(found)


def compared(nodes, x, *, draws, bias, ntk=False, most=0.02, **more):
    """Hold the draws' mean to infinite width, within 5 standard errors and the finite width's bias.

    All in units of a row's own values, sqrt(K(x, x) K(y, y)), so that entries scatter alike and one
    standard error serves them all: with few draws an entry's own would be small by chance. bias:
    what an expectation over networks of this width may differ by, a few 1 / width. most: the
    standard error that a comparison with teeth may have.
    """
    kernel, found = trials(nodes, x, draws=draws, ntk=ntk, **more)
    assert not hasattr(kernel, "reason"), kernel
    theory = kernel.ntk if ntk else kernel.nngp
    own = np.sqrt(np.diag(theory))
    theory, found = theory / np.outer(own, own), found / np.outer(own, own)
    error = np.sqrt(np.mean(found.var(axis=0, ddof=1)) / draws)
    assert error <= most, (error, "the comparison has no teeth")
    off = np.abs(found.mean(axis=0) - theory).max()
    assert off <= 5.0 * error + bias, (off, error, bias)
    return off, error


def alike_rows(shape, count=3, seed=1):
    """Rows of different norms, two of which are close."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((count, *shape)) * rng.uniform(0.5, 2.0, (count, *(1,) * len(shape)))
    x[1] = 0.8 * x[0] + 0.3 * x[1]
    return x
