"""The kernel of many narrow networks against its obvious twin."""

from __future__ import annotations

import numpy as np
import pytest
from naive import chain_map

from fpcheck.kernels.batched import chain_outputs
from fpcheck.kernels.opcodes import EXPONENTIAL, FAMILY_OF, PERIODIC, RELU, SIN, TANH
from fpcheck.network.activations import activation


@pytest.mark.parametrize(("name", "opcode"), [("tanh", TANH), ("relu", RELU), ("sin", SIN)])
@pytest.mark.parametrize("lanes", [1, 5, 40])
def test_networks_one_by_one_and_rows_as_lanes_are_the_chain_row_by_row(name, opcode, lanes):
    rng = np.random.default_rng(0)
    family = FAMILY_OF[opcode]
    # 3 -> 5 with biases, 5 -> 2 without; the parameters of two networks, a gap between the layers.
    table = np.array([[3, 5, 0, 15, opcode, family], [5, 2, 22, -1, 0, FAMILY_OF[0]]])
    networks = rng.standard_normal((2, 32))
    rows = rng.standard_normal((3, lanes))
    out = np.full((2, lanes, 2), np.nan)
    chain_outputs(
        table, np.zeros((2, 2)), networks, rows, np.empty((5, lanes)), np.empty((5, lanes)),
        np.full(5, -0.0), out,
        1 if family == EXPONENTIAL else None, None, 1 if family == PERIODIC else None,
    )  # fmt: skip
    for network, found in zip(networks, out, strict=True):
        image = chain_map([
            (network[:15].reshape(5, 3), network[15:20], activation(name)),
            (network[22:32].reshape(2, 5), np.zeros(2), activation("identity")),
        ])  # fmt: skip
        wanted = np.array([image(row) for row in rows.T])
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-14)
