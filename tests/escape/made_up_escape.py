"""An escape section of a report as a deep bias-free network gives it, for rules and views."""

from __future__ import annotations

import copy
import math
from typing import Any

LAYERS = 5
ESCAPE = 150


def _record(step: int) -> dict[str, Any]:
    """Plateau up to 150, escape there, the peak of sigma_1/sigma_2 at 170, a saddle from 200 on."""
    loss = 2.302 if step < ESCAPE else (2.1 if step < 160 else 1.9)
    grown = 1.0 if step < ESCAPE else (1.4 if step < 170 else 2.0 if step == 170 else 1.7)
    layers = [
        {"name": f"dense{i}", "sigma1": 1.2 * grown, "sigma2": 1.0, "ratio": 1.1 * grown * i**0.25,
         "singular_values": [1.2 * grown, 1.0, 0.5], "stable_rank": 4.0, "activation_rank": 8}
        for i in range(1, LAYERS + 1)
    ]  # fmt: skip
    return {"step": step, "loss": loss, "accuracy": 0.1 if step < ESCAPE else 0.2,
            "gradient_norm": 1e-3, "parameter_norm": 3.0 * grown, "output_variance": 1e-4,
            "time": 0.1 * step, "layers": layers}  # fmt: skip


def _low_rank(depth: int) -> dict[str, Any]:
    return {"name": f"dense{depth}", "depth": depth, "ratio": 1.54 * depth**0.25,
            "start_ratio": 1.1, "rest": 0.6, "share_of_change": 0.8, "change_rest": 0.12,
            "low_rank": True, "dominated": depth == LAYERS}  # fmt: skip


STEPS = [*range(0, 150, 10), 150, 155, 160, 170, *range(180, 301, 10)]
SECTION: dict[str, Any] = {
    "rows": 1797, "batch": 0, "optimiser": "norm-adaptive", "learning_rate": 700.0,
    "learning_rate_rule": "norm-adaptive, c / |theta|^3 with c 700, as given",
    "loss_name": "cross-entropy", "target": "target", "constant_loss": 2.302, "depth": LAYERS,
    "probe_steps": 300, "steps": [_record(step) for step in STEPS], "steps_made": 300,
    "start_loss": 2.302, "best_loss": 1.9, "end_loss": 1.9, "trainability": "trains",
    "trainability_reason": "the loss falls by 17.5% in 300 steps, to 1.9", "fall": 0.175,
    "second_run": {"skipped": "the first run tells"},
    "plateau": {"from": 0, "to": 149}, "escaped_at": ESCAPE, "escaped_time": 15.0,
    "growth_rate": 0.02, "norm_growth": 1.4, "from_zero": True,
    "next_saddle": {"from": 200, "to": 300}, "spike_at": None, "diverged_at": None,
    "dead_start": False, "dead_layer": "", "moved": 1.9,
    "low_rank": [_low_rank(i) for i in range(1, LAYERS + 1)],
    "low_rank_at": ESCAPE, "low_rank_ratio": 2.3,
    "low_rank_layers": [f"dense{i}" for i in range(1, LAYERS + 1)],
    "law": {"exponent": 0.25, "exponent_low": 0.1, "exponent_high": 0.4, "rest_exponent": -0.5,
            "rest_exponent_low": -0.8, "rest_exponent_high": -0.2, "layers": LAYERS,
            "expected": 0.25, "expected_rest": -0.5},
    "direction": {
        "speed": 0.2213, "depth": LAYERS, "status": "numerical", "starts": 25, "agreeing": 4,
        "rank_one_speed": 0.2, "rows": 1797, "coarse_rows": 256, "slip": 0.003, "width": 24,
        "layers": [{"name": f"dense{i}", "rest": 0.2 / i, "singular_values": [0.9, 0.3, 0.1, 0.0]}
                   for i in range(1, LAYERS + 1)],
        "near_zero": True, "measured_escape": ESCAPE, "measured_time": 15.0, "fall": 0.2,
        "predicted_escape": 156.25, "predicted_time": 15.6, "earliest_escape": 90.0,
        "earliest_time": 9.0, "own_speed": 0.2, "reason": "",
        "predicted_norms": [3.0 * math.exp(0.0005 * s) if s < 160 else None for s in STEPS],
        "earliest_norms": [3.0 for _ in STEPS],
    },
    "scan": {"skipped": "not asked; pass --escape-scan"},
    "verdict": {"answer": "leaves a plateau", "reason": "the loss stays put up to step 149",
                "next_step": "larger initial weights shorten the plateau"},
    "notes": ["one thing to know"],
}  # fmt: skip
CELLS = ("saddle-to-saddle", "ordinary", "lazy", "never starts", "diverges")
SCAN: dict[str, Any] = {
    "scales": [0.01, 0.1, 1.0, 2.0, 4.0], "depths": [1, 3], "law": "he_normal",
    "activation": "relu", "width": 24, "rows": 128, "steps": 200,
    "cells": [[{"kind": kind, "loss_ratio": None if kind == "diverges" else 0.3, "ratio": 1.5,
                "share": 0.4, "moved": 0.5, "kernel_moved": 0.4, "escaped_at": 3, "plateau": 0.5,
                "rate": 0.1, "steps": 200} for kind in CELLS] for _ in range(2)],
}  # fmt: skip
STANDS_STILL: dict[str, Any] = {
    "optimiser": "sgd", "learning_rate_rule": "sgd, 0.01 = 1 / the largest curvature",
    "learning_rate": 0.01, "trainability": "does not start", "fall": 0.0,
    "trainability_reason": "the loss falls by 0.00% only in 300 steps, to 2.302",
    "plateau": {"from": 0, "to": 300}, "escaped_at": None, "escaped_time": None,
    "norm_growth": None, "from_zero": None, "next_saddle": None, "spike_at": None, "low_rank": [],
    "low_rank_at": None, "low_rank_ratio": None, "low_rank_layers": [],
    "law": {"skipped": "there was no escape within the probe"},
    "direction": {"skipped": "layer 'dense1' has biases, and growth from zero is no power law"},
    "verdict": {"answer": "does not start", "reason": "it stands still", "next_step": "another"},
}  # fmt: skip
DIVERGES: dict[str, Any] = {
    **STANDS_STILL, "trainability": "diverges", "plateau": None, "diverged_at": 4, "end_loss": None,
    "steps_made": 4, "steps": [_record(step) for step in range(4)], "moved": None,
    "trainability_reason": "the loss is not finite from step 4 on",
    "verdict": {"answer": "diverges", "reason": "not finite", "next_step": "--lr 0.001"},
}  # fmt: skip


def section(**changes: Any) -> dict[str, Any]:
    """The section with some of its keys changed."""
    return {**copy.deepcopy(SECTION), **changes}
