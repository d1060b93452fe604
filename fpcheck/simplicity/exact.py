"""p where it is known without sampling: impossible labels, and linear units under normal weights.

Weights of a rotation-invariant law make the direction of a bias-free linear chain uniform, so p is
a share of directions (`orthants`), whatever the layers behind the first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fpcheck.kernels import chain
from fpcheck.kernels.opcodes import IDENTITY
from fpcheck.simplicity.labelling import Labelling, least_errors
from fpcheck.simplicity.networks import Block, Prior
from fpcheck.simplicity.orthants import positive_share
from fpcheck.simplicity.outputs import ChainPlan, chain_plan
from fpcheck.simplicity.separability import inseparable

Array = NDArray[np.float64]

ROTATION_INVARIANT = ("normal", "orthogonal")
# Laws without an atom: no product or sum of their entries is 0 but by chance 0.
CONTINUOUS = (
    "normal", "orthogonal", "uniform", "truncated_normal", "laplace", "student_t", "cauchy",
    "alpha_stable",
)  # fmt: skip
ABSENT = ("zeros",)


@dataclass(frozen=True, slots=True)
class Exact:
    """p in closed form.

    bits: -log2 p, inf where p is 0. reason: why, in words. status: "proved" by the rows alone, or
    "numerical" within rounding.
    """

    bits: float
    reason: str
    status: Literal["proved", "numerical"] = "numerical"


def exact(prior: Prior, labelling: Labelling, errors: int = 0) -> Exact | None:
    """p of at most `errors` wrong rows, None where no closed form is known."""
    least = least_errors(labelling)
    if least > errors:
        return Exact(
            math.inf,
            f"equal rows with different labels: every function has at least {least} wrong",
            "proved",
        )
    if errors:
        return None
    plan = chain_plan(prior)
    if plan is None or labelling.rule == "band":
        return None
    rows = labelling.rows.reshape(labelling.count, -1)
    if labelling.rule == "sign" and (found := _half(prior, plan, labelling)):
        return found
    if any(row[chain.OPCODE] != IDENTITY for row in plan.table):
        return None
    biased = any(block.kind == "bias" and block.law.name not in ABSENT for block in prior.blocks)
    assert labelling.labels is not None
    if labelling.rule == "sign" and not biased:
        zero = ~rows.any(axis=1)
        if (labelling.labels[zero] == 1).any():
            return Exact(math.inf, "a row of zeros has output 0, which is class 0", "proved")
        if _direction_is_uniform(prior, plan):
            signs = np.where(labelling.labels == 1, 1.0, -1.0)
            share = positive_share((rows * signs[:, None])[~zero])
            if share is not None:
                return Exact(share.bits, f"{share.reason}; the direction of f is uniform")
    ties = any(block.levels or block.law.name == "constant" for block in prior.blocks)
    reason = inseparable(rows, labelling, biased=biased, ties=ties)
    return Exact(math.inf, reason) if reason else None


def _half(prior: Prior, plan: ChainPlan, labelling: Labelling) -> Exact | None:
    """1/2 for one row (or equal ones), where the last layer is as likely with its sign changed."""
    flat = labelling.rows.reshape(labelling.count, -1)
    if (flat != flat[0]).any() or plan.table[-1][chain.OPCODE] != IDENTITY:
        return None
    name = _last_layer(prior)
    last = [block for block in prior.blocks if block.layer == name]
    if sum(block.kind == "weight" for block in prior.blocks) != len(plan.table):
        return None  # layers share a tensor
    laws = {block.kind: block for block in last}
    bias = laws.get("bias")
    # The bias, where it is continuous, keeps f off 0 even where all units are dead.
    if bias is None or bias.law.name not in CONTINUOUS or not all(map(_symmetric, last)):
        return None
    return Exact(1.0, "one row, and the last layer's law is symmetric", "proved")


def _last_layer(prior: Prior) -> str:
    """The name of the last layer with weights."""
    weighted = {block.layer for block in prior.blocks}
    return next(node.name for node in reversed(prior.skeleton.nodes) if node.name in weighted)


def _symmetric(block: Block) -> bool:
    values = block.law.parameters
    if block.law.name in ("uniform", "lattice"):
        return values["low"] == -values["high"]
    return block.law.name in (*CONTINUOUS, *ABSENT)


def _direction_is_uniform(prior: Prior, plan: ChainPlan) -> bool:
    """Whether the chain's one vector of weights, a product, has a uniform direction."""
    weights = [block for block in prior.blocks if block.kind != "bias"]
    if len([block for block in weights if block.kind == "weight"]) != len(plan.table):
        return False  # layers share a tensor
    if weights[0].law.name not in ROTATION_INVARIANT or weights[0].amplitude == 0.0:
        return False
    return all(block.law.name in CONTINUOUS for block in weights)
