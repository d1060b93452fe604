"""Moves of a chain's random parameters, a unit's at a time, that keep a score below a level.

A move draws some of one unit's parameters again, a little or a lot, and works out only what
depends on them: the unit, one product of the next layer, and the layers after it.
"""

from __future__ import annotations

import math

import numpy as np

from fpcheck.kernels.arithmetic import multiply_add
from fpcheck.kernels.chain import (
    BIASES,
    FAMILY,
    INPUTS,
    OPCODE,
    OUTPUTS,
    WEIGHTS,
    activate,
    product,
)
from fpcheck.kernels.chain_score import chain_score
from fpcheck.kernels.compile import kernel, scalar
from fpcheck.kernels.counter import NORMAL as NORMAL_NUMBERS
from fpcheck.kernels.counter import UNIFORM as UNIFORM_NUMBERS
from fpcheck.kernels.counter import draw_block, network_key
from fpcheck.kernels.functions import erf

# Columns of `table` after those of kernels.chain: where the layer's units begin among all.
FIRST = 6

# How a latent coordinate becomes a parameter: columns of `forms`.
FORM = 0
LATENT = 1  # where its coordinate stands
LEVELS = 2
FORM_COLUMNS = 3

NORMAL = 0  # a + b z
UNIFORM = 1  # a + b erf(z / sqrt 2)
LATTICE = 2  # a + b k
FIXED = 3  # a

# Columns of `groups`: the parameters that move together: inputs `START` up to `END` of a unit, the
# bias being the one after the last.
LAYER = 0
UNIT = 1
START = 2
END = 3

SQRT_HALF = math.sqrt(0.5)
PICKS = 4  # uniform numbers that choose a move
SPREAD = 1.0  # a move's step is the level's times e^-1 to e^1


@scalar
def parameter(form, a, b, coordinate):
    """The parameter that a latent coordinate stands for."""
    if form == UNIFORM:
        return multiply_add(b, erf(SQRT_HALF * coordinate), a)
    if form == FIXED:
        return a
    return multiply_add(b, coordinate, a)


@kernel
def _run_chain(table, functions, weights, rows, sums, values, none, layer, exponential, normal,
               periodic):  # fmt: skip
    """Fill sums and values of `layer` from those of the layer before (or the rows)."""
    first = table[layer, FIRST]
    units = table[layer, OUTPUTS]
    lanes = rows.shape[1]
    y = sums[first : first + units]
    if layer == 0:
        product(weights[table[0, WEIGHTS] :], table[0, INPUTS], rows, y, lanes)
    else:
        before = table[layer - 1, FIRST]
        source = values[before : before + table[layer - 1, OUTPUTS]]
        product(weights[table[layer, WEIGHTS] :], table[layer, INPUTS], source, y, lanes)
    if table[layer, BIASES] >= 0:
        for unit in range(units):
            shift = weights[table[layer, BIASES] + unit]
            for lane in range(lanes):
                y[unit, lane] += shift
    _activate_units(
        table, functions, layer, sums, values, none, first, first + units,
        exponential, normal, periodic,
    )  # fmt: skip


@kernel
def _activate_units(table, functions, layer, sums, values, none, begin, end, exponential, normal,
                    periodic):  # fmt: skip
    lanes = sums.shape[1]
    for unit in range(begin, end):
        for lane in range(lanes):
            values[unit, lane] = sums[unit, lane]
    activate(
        table[layer, FAMILY], table[layer, OPCODE], values[begin:end], lanes, none,
        functions[layer, 0], functions[layer, 1], exponential, normal, periodic,
    )  # fmt: skip


@scalar
def _choose_parameters(table, group, part, chosen):
    """Write which parameters move; return how many of them are the unit's own, and how many all.

    part: below -1/3 the unit's own alone, above 1/3 what the next layer takes of it alone.
    """
    layer, unit = group[LAYER], group[UNIT]
    last = layer == table.shape[0] - 1
    inputs = table[layer, INPUTS]
    own = 0
    if last or 3.0 * part <= 1.0:
        for j in range(group[START], group[END]):
            if j < inputs:
                chosen[own] = table[layer, WEIGHTS] + unit * inputs + j
            else:
                chosen[own] = table[layer, BIASES] + unit
            own += 1
    count = own
    if not last and 3.0 * part >= -1.0:
        units = table[layer, OUTPUTS]
        for k in range(table[layer + 1, OUTPUTS]):
            chosen[count] = table[layer + 1, WEIGHTS] + k * units + unit
            count += 1
    return own, count


@kernel
def _propose(forms, scales, chosen, count, coordinates, step, noise, picks, fresh, drawn):
    """The chosen coordinates and parameters after the move.

    Normal coordinates by preconditioned Crank-Nicolson (Cotter, Roberts, Stuart, White 2013), each
    lattice level with probability `step`: half of them anywhere, half to a neighbour.
    """
    keep = math.sqrt(1.0 - step * step)
    for i in range(count):
        form, at = forms[chosen[i], FORM], forms[chosen[i], LATENT]
        fresh[i] = coordinates[at] if at >= 0 else 0.0
        if form in (NORMAL, UNIFORM):
            fresh[i] = multiply_add(keep, fresh[i], step * noise[i])
        elif form == LATTICE and abs(picks[2 * i]) < step:
            levels = forms[chosen[i], LEVELS]
            if picks[2 * i] > 0.0:
                fresh[i] = min(math.floor(0.5 * (picks[2 * i + 1] + 1.0) * levels), levels - 1.0)
            else:
                neighbour = fresh[i] + (1.0 if picks[2 * i + 1] > 0.0 else -1.0)
                if 0.0 <= neighbour <= levels - 1.0:
                    fresh[i] = neighbour
        drawn[i] = parameter(form, scales[chosen[i], 0], scales[chosen[i], 1], fresh[i])


@kernel
def _try(table, functions, group, weights, chosen, own, count, drawn, rows, sums, values,
         new_sums, new_values, none, exponential, normal, periodic):  # fmt: skip
    """Fill new_sums and new_values of what the move changes, the last layer's outputs in whole."""
    layer, unit = group[LAYER], group[UNIT]
    lanes = rows.shape[1]
    first = table[layer, FIRST]
    row = first + unit
    for lane in range(lanes):
        new_sums[row, lane] = sums[row, lane]
        new_values[row, lane] = values[row, lane]
    for i in range(own):
        j = group[START] + i
        change = drawn[i] - weights[chosen[i]]
        if j == table[layer, INPUTS]:
            for lane in range(lanes):
                new_sums[row, lane] += change
        elif layer == 0:
            for lane in range(lanes):
                new_sums[row, lane] = multiply_add(change, rows[j, lane], new_sums[row, lane])
        else:
            place = table[layer - 1, FIRST] + j
            for lane in range(lanes):
                new_sums[row, lane] = multiply_add(change, values[place, lane], new_sums[row, lane])
    if own:
        _activate_units(
            table, functions, layer, new_sums, new_values, none, row, row + 1,
            exponential, normal, periodic,
        )  # fmt: skip
    if layer == table.shape[0] - 1:
        for k in range(table[layer, OUTPUTS]):
            if k != unit:
                for lane in range(lanes):
                    new_values[first + k, lane] = values[first + k, lane]
        return 0
    following = table[layer + 1, FIRST]
    for k in range(table[layer + 1, OUTPUTS]):
        old = weights[table[layer + 1, WEIGHTS] + k * table[layer, OUTPUTS] + unit]
        new = drawn[own + k] if count > own else old
        for lane in range(lanes):
            change = new * new_values[row, lane] - old * values[row, lane]
            new_sums[following + k, lane] = sums[following + k, lane] + change
    _activate_units(
        table, functions, layer + 1, new_sums, new_values, none, following,
        following + table[layer + 1, OUTPUTS], exponential, normal, periodic,
    )  # fmt: skip
    # The rest takes every unit of the layer before, so it is run with the parameters as they are:
    # those that move lie before it.
    for later in range(layer + 2, table.shape[0]):
        _run_chain(
            table, functions, weights, rows, new_sums, new_values, none, later,
            exponential, normal, periodic,
        )  # fmt: skip
    return 0


@scalar
def _accept(table, group, forms, weights, coordinates, chosen, count, drawn, fresh, sums, values,
            new_sums, new_values):  # fmt: skip
    for i in range(count):
        weights[chosen[i]] = drawn[i]
        if forms[chosen[i], LATENT] >= 0:
            coordinates[forms[chosen[i], LATENT]] = fresh[i]
    lanes = sums.shape[1]
    row = table[group[LAYER], FIRST] + group[UNIT]
    for lane in range(lanes):
        sums[row, lane] = new_sums[row, lane]
        values[row, lane] = new_values[row, lane]
    if group[LAYER] < table.shape[0] - 1:
        for place in range(table[group[LAYER] + 1, FIRST], sums.shape[0]):
            for lane in range(lanes):
                sums[place, lane] = new_sums[place, lane]
                values[place, lane] = new_values[place, lane]


@kernel
def move_units(
    table, functions, groups, forms, scales, rows, rule, labels, targets, tolerance, errors,
    latents, scores, level, step, moves, key, number, has_lattice,
    sums, values, new_sums, new_values, weights, none, wrong, chosen, numbers, drawn,
    exponential, normal, periodic,
):  # fmt: skip
    """Move every network `moves` times, none above the score `level`; return the moves accepted.

    table: (layers, 7); functions: (layers, 2); groups: (g, 4); forms: (P, 3); scales: (P, 2), the
    forms' a and b; rows: (inputs, n); labels: (n,); targets: (n, c); latents: (m, L) and scores:
    (m,), changed; key: (2,) uint64, number: the first network's under it. sums, values, new_sums,
    new_values: (units, n) scratch; weights: (P,); none: (widest,) of -0.0; wrong: (n,);
    chosen: (most,); numbers: (3 most + 6,); drawn: (2 most,).
    """
    last = table.shape[0] - 1
    begin = table[last, FIRST]
    most = chosen.shape[0]
    picked = np.empty(PICKS)
    accepted = 0
    for network in range(latents.shape[0]):
        coordinates = latents[network]
        for place in range(weights.shape[0]):
            at = forms[place, LATENT]
            weights[place] = parameter(
                forms[place, FORM], scales[place, 0], scales[place, 1],
                coordinates[at] if at >= 0 else 0.0,
            )  # fmt: skip
        for layer in range(last + 1):
            _run_chain(
                table, functions, weights, rows, sums, values, none, layer,
                exponential, normal, periodic,
            )  # fmt: skip
        h1, h2 = network_key(key, number + network)
        word = 0
        for _ in range(moves):
            draw_block(h1, h2, word, UNIFORM_NUMBERS, 0, 0.0, 1.0, picked, 0, PICKS)
            word += PICKS // 2
            which = min(int(0.5 * (picked[0] + 1.0) * groups.shape[0]), groups.shape[0] - 1)
            group = groups[which]
            here = min(1.0, step * math.exp(SPREAD * picked[1]))
            own, count = _choose_parameters(table, group, picked[2], chosen)
            even = (count + 1) // 2 * 2
            noise, picks = numbers[:even], numbers[even : even + 2 * even]
            draw_block(h1, h2, word, NORMAL_NUMBERS, 0, 0.0, 1.0, noise, 0, count)
            word += even // 2
            if has_lattice:
                draw_block(h1, h2, word, UNIFORM_NUMBERS, 0, 0.0, 1.0, picks, 0, 2 * even)
                word += even
            fresh, new = drawn[:most], drawn[most:]
            _propose(forms, scales, chosen, count, coordinates, here, noise, picks, fresh, new)
            _try(
                table, functions, group, weights, chosen, own, count, new, rows, sums, values,
                new_sums, new_values, none, exponential, normal, periodic,
            )  # fmt: skip
            score = chain_score(new_values[begin:], rule, labels, targets, tolerance, errors, wrong)
            if score <= level:
                accepted += 1
                scores[network] = score
                _accept(
                    table, group, forms, weights, coordinates, chosen, count, new, fresh,
                    sums, values, new_sums, new_values,
                )  # fmt: skip
    return accepted
