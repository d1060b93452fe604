"""The learning rate of the probe: given, or chosen by the largest curvature."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.escape.problem import Problem
from fpcheck.escape.spectra import first_direction
from fpcheck.network.layers import layers
from fpcheck.network.network import Network
from fpcheck.network.program import forward, trace
from fpcheck.network.training import ADAM, SGD, Recipe, loss_and_gradient, trained_names
from fpcheck.network.training.optimisers import degree

Array = NDArray[np.float64]

MOMENTUM = 0.9
ADAM_RATE = 1e-3  # the usual one: Adam's steps do not follow the curvature
FALLBACK_RATE = 0.01  # where no curvature is found
SMALL_OUTPUTS = 0.1  # below, the network is near the saddle at zero,
USUAL_OUTPUTS = 0.5  # and above, its own curvature is that of training
CURVATURE_ROWS = 512
POWER_STEPS = 15
# Of layers of size 1 a curvature beyond is a chaotic network's, whose depth multiplies it: at that
# size the network is another one, and the rate would move nothing.
CHAOTIC = 1e6
# Of the parameters' norm: how far the gradients whose difference is taken lie apart.
DIFFERENCE = 1e-4


@dataclass(frozen=True, slots=True)
class Rate:
    """A learning rate and how it came about."""

    recipe: Recipe
    rule: str


def choose_rate(
    problem: Problem, settings: Settings, rng: np.random.Generator, monitor: Monitor
) -> Rate:
    """How the probe steps, and the rule of its learning rate in words.

    A rate of 0 is chosen as 1 / the largest curvature: here, and where the outputs are not of the
    usual size the smaller of two, the other one where small layers are scaled up to pre-activations
    of size 1, since a rate that suits the flat neighbourhood of zero would blow up behind the
    escape. Under the norm-adaptive rule both are taken of the
    rate's factor c, and of small outputs a third one with rank-one layers added, which is where an
    escape leads: there the norm is still small while the curvature no longer is. Momentum m takes
    1 - m of it.
    """
    name = settings.probe_optimiser
    depth = degree(problem.network.skeleton)
    base = Recipe(
        loss=problem.loss,
        optimiser=ADAM if name == "adam" else SGD,
        rate=settings.probe_rate or FALLBACK_RATE,
        steps=settings.probe_steps,
        batch=settings.probe_batch if settings.probe_batch < len(problem.inputs) else 0,
        norm_adaptive=name == "norm-adaptive",
        momentum=MOMENTUM if name == "momentum" else 0.0,
    )
    shape = f"{name}, c / |theta|^{depth - 2} with c" if base.norm_adaptive else f"{name},"
    if settings.probe_rate > 0.0:
        return Rate(base, f"{shape} {settings.probe_rate:.4g}, as given")
    if name == "adam":
        return Rate(_at(base, ADAM_RATE), f"{shape} {ADAM_RATE:g}, its usual rate")
    rates = _rates(problem, base, depth, rng, monitor)
    if not rates:
        return Rate(base, f"{shape} {base.rate:g}: no curvature was found")
    rate, where = min(rates)
    rate *= 1.0 - base.momentum
    share = f"{1.0 - base.momentum:.1f}" if base.momentum else "1"
    words = f"{shape} {rate:.4g} = {share} / the largest curvature {where}"
    return Rate(_at(base, rate), words)


def _at(recipe: Recipe, rate: float) -> Recipe:
    return replace(recipe, rate=rate)


def _rates(
    problem: Problem, recipe: Recipe, depth: int, rng: np.random.Generator, monitor: Monitor
) -> list[tuple[float, str]]:
    """(rate, where) at the network as it is and rescaled, where a curvature is found."""
    count = len(problem.inputs)
    rows = np.sort(rng.choice(count, min(CURVATURE_ROWS, count), replace=False))
    inputs, targets = problem.inputs[rows], problem.targets[rows]
    places, size = [(problem.network, "here")], _size(problem.network, inputs)
    if not size > USUAL_OUTPUTS:
        places.append((rescaled(problem.network, inputs), "with layers scaled to size 1"))
    if recipe.norm_adaptive and size < SMALL_OUTPUTS:
        spiked = with_rank_one(problem.network, inputs)
        places += [] if spiked is None else [(spiked, "with layers of rank one added")]
    found = []
    for network, where in places:
        curvature, norm = largest_curvature(network, inputs, targets, problem.loss, rng, monitor)
        if network is not problem.network and curvature > CHAOTIC:
            continue
        if not (math.isfinite(curvature) and curvature > 0.0):
            continue
        if recipe.norm_adaptive and norm == 0.0:
            continue
        rate = (norm ** (depth - 2) if recipe.norm_adaptive else 1.0) / curvature
        if math.isfinite(rate) and rate > 0.0:
            found.append((rate, where))
    return found


def largest_curvature(
    network: Network,
    inputs: Array,
    targets: NDArray[np.generic],
    loss: str,
    rng: np.random.Generator,
    monitor: Monitor,
) -> tuple[float, float]:
    """(the Hessian's largest |eigenvalue|, |theta|); power steps on differences of gradients.

    A lower bound, close where the top eigenvalue stands alone. nan where gradients are not finite.
    """
    names = trained_names(network.skeleton)

    def gradient(parameters: dict[str, Array]) -> Array:
        moved = Network(network.skeleton, {**network.parameters, **parameters})
        _, slopes = loss_and_gradient(moved, inputs, targets, loss, monitor=monitor)
        return _flat(slopes, names)

    at = {name: np.asarray(network.parameters[name], np.float64) for name in names}
    norm = float(np.linalg.norm(_flat(at, names)))
    return _power(at, names, norm, gradient, rng), norm


def _power(
    at: dict[str, Array],
    names: tuple[str, ...],
    norm: float,
    gradient: Callable[[dict[str, Array]], Array],
    rng: np.random.Generator,
) -> float:
    step = DIFFERENCE * norm if norm > 0.0 else DIFFERENCE
    start = gradient(at)
    # The gradient itself leans towards the steepest directions; noise keeps it from being blind.
    noise = rng.standard_normal(start.size)
    size = float(np.linalg.norm(start))
    direction = noise / np.linalg.norm(noise) + (start / size if size > 0.0 else 0.0)
    curvature = math.nan
    for _ in range(POWER_STEPS):
        direction = direction / np.linalg.norm(direction)
        shift, place = {}, 0
        for name in names:
            count = at[name].size
            part = direction[place : place + count].reshape(at[name].shape)
            shift[name] = at[name] + step * part
            place += count
        direction = (gradient(shift) - start) / step
        curvature = float(np.linalg.norm(direction))
        if not (math.isfinite(curvature) and curvature > 0.0):
            return curvature
    return curvature


def _size(network: Network, inputs: Array) -> float:
    """The root mean square of the network's outputs."""
    return float(np.sqrt(np.mean(np.square(forward(network.program, inputs)))))


def rescaled(network: Network, inputs: Array) -> Network:
    """The network with small layers' weights scaled up to pre-activations of size 1.

    Layer by layer on the rows, by root mean square, beside biases as they are; layers that give
    nothing, or are of size 1 or larger, stay. [after Mishkin, Matas 2016]
    """
    parameters = dict(network.parameters)
    for layer in layers(network.skeleton):
        current = Network(network.skeleton, parameters)
        value = trace(current.program, inputs[:256])[layer.name]
        bias = np.asarray(parameters[layer.node.bias] if layer.node.bias else 0.0, np.float64)
        if layer.node.bias and layer.kind != "dense":
            bias = np.reshape(bias, (-1,) + (1,) * (value.ndim - 2))
        own, lacking = np.mean(np.square(value - bias)), 1.0 - np.mean(np.square(bias))
        if 0.0 < own < lacking:
            scale = math.sqrt(lacking / own)
            parameters[layer.node.weight] = np.asarray(parameters[layer.node.weight]) * scale
    return Network(network.skeleton, parameters)


def with_rank_one(network: Network, inputs: Array) -> Network | None:
    """The network with balanced layers s u_l u_(l-1)^T added, which by themselves pass one
    direction on to outputs of size 1; None where a layer is not dense.

    u_0 is the first singular direction of the rows, the others are even: 1 / sqrt(units) each.
    """
    found = layers(network.skeleton)
    if network.program.chain is None:
        return None
    flat = inputs.reshape(len(inputs), -1)
    before = first_direction(flat)[1]
    before = before * math.copysign(1.0, float(np.sum(flat @ before)))
    size = float(np.sqrt(np.mean(np.square(flat @ before)))) / math.sqrt(found[-1].units)
    if not (math.isfinite(size) and size > 0.0):
        return None
    scale = size ** (-1.0 / len(found))
    parameters = dict(network.parameters)
    for layer in found:
        after = np.full(layer.units, layer.units**-0.5)
        matrix = scale * np.outer(after, before)
        stored = matrix if layer.node.layout == "out_in" else matrix.T
        parameters[layer.node.weight] = np.asarray(parameters[layer.node.weight]) + stored
        before = after
    return Network(network.skeleton, parameters)


def _flat(tensors: dict[str, Array], names: tuple[str, ...]) -> Array:
    return np.concatenate([np.ravel(tensors[name]) for name in names])
