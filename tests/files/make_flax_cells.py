"""Writes the recurrent cells of flax.linen and flax.nnx as flattened dicts, and a step of each.

    python tests/files/make_flax_cells.py

Needs flax, jax and safetensors. `cells.npz` (linen, joined by /) and `cells.safetensors` (nnx,
joined by .) hold weights alone; `cell_steps.npz` holds a constant input `u` and for every cell
some states and what flax makes of them, an LSTM's as [h, c].
"""

from __future__ import annotations

import numpy as np
from reference import FOLDER

SIZE, HIDDEN, ROWS = 3, 4, 5
LINEN = ("LSTMCell", "OptimizedLSTMCell", "GRUCell", "SimpleCell")
NNX = ("LSTMCell", "OptimizedLSTMCell", "GRUCell", "SimpleCell")


def filled(flat, rng):
    """Every tensor drawn, biases too, which are zero at first."""
    return {
        name: (0.6 * rng.standard_normal(np.shape(value))).astype(np.float32)
        for name, value in flat.items()
    }


def states(kind, rng):
    count = 2 if "LSTM" in kind else 1
    return rng.standard_normal((count, ROWS, HIDDEN)).astype(np.float32)


def as_carry(kind, state):
    """Flax carries (c, h) of an LSTM."""
    return (state[1], state[0]) if "LSTM" in kind else state[0]


def as_row(kind, carry):
    return np.concatenate([carry[1], carry[0]], axis=1) if "LSTM" in kind else np.asarray(carry)


def linen(u, rng, steps):
    import jax
    from flax import linen as nn
    from flax.traverse_util import flatten_dict, unflatten_dict

    class Cells(nn.Module):
        @nn.compact
        def __call__(self, carries, x):
            return {kind: getattr(nn, kind)(HIDDEN)(carries[kind], x)[0] for kind in LINEN}

    given = {kind: states(kind, rng) for kind in LINEN}
    carries = {kind: as_carry(kind, state) for kind, state in given.items()}
    x = np.tile(u, (ROWS, 1))
    flat = filled(flatten_dict(Cells().init(jax.random.key(0), carries, x), sep="/"), rng)
    after = Cells().apply(unflatten_dict(flat, sep="/"), carries, x)
    for kind in LINEN:
        steps[f"{kind}_0/state"] = np.concatenate(list(given[kind]), axis=1)
        steps[f"{kind}_0/after"] = as_row(kind, after[kind])
    return flat


def nnx(u, rng, steps):
    from flax import nnx
    from flax.traverse_util import flatten_dict, unflatten_dict

    class Cells(nnx.Module):
        def __init__(self, rngs):
            for kind in NNX:
                setattr(self, kind.lower(), getattr(nnx, kind)(SIZE, HIDDEN, rngs=rngs))

    model = Cells(nnx.Rngs(0))
    flat = filled(flatten_dict(nnx.to_pure_dict(nnx.state(model)), sep="."), rng)
    state = nnx.state(model)
    nnx.replace_by_pure_dict(state, unflatten_dict(flat, sep="."))
    nnx.update(model, state)
    for kind in NNX:
        given = states(kind, rng)
        carry, _ = getattr(model, kind.lower())(as_carry(kind, given), np.tile(u, (ROWS, 1)))
        steps[f"{kind.lower()}/state"] = np.concatenate(list(given), axis=1)
        steps[f"{kind.lower()}/after"] = as_row(kind, carry)
    return flat


def main():
    from safetensors.numpy import save_file

    rng = np.random.default_rng(11)
    u = rng.standard_normal(SIZE).astype(np.float32)
    steps = {"u": u}
    np.savez(FOLDER / "flax/cells.npz", **linen(u, rng, steps))
    save_file(nnx(u, rng, steps), FOLDER / "flax/cells.safetensors")
    np.savez(FOLDER / "flax/cell_steps.npz", **steps)


if __name__ == "__main__":
    main()
