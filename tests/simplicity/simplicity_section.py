"""A simplicity section of a report as a planted teacher gives it, for rules and views."""

from __future__ import annotations

import copy
from typing import Any

SECTION: dict[str, Any] = {
    "rows": 64,
    "test_rows": 400,
    "classes": [{"name": "0", "rows": 34}, {"name": "1", "rows": 30}],
    "rule": "sign",
    "outputs": 1,
    "law": "every weight and bias uniform on [-1, 1]",
    "parameters": 193,
    "scaled_neurons": False,
    "errors_allowed": 0,
    "tolerance": None,
    "notes": [],
    "bits": 40.2,
    "bits_low": 39.6,
    "bits_high": 40.9,
    "bits_per_sample": 0.628,
    "bits_claim": "",
    "status": "sampled",
    "method": "splitting",
    "networks": 180000,
    "accepted": 2048,
    "repetitions": [39.5, 40.1, 40.6, 40.2, 39.9, 40.8, 40.4, 40.0],
    "levels": [{"score": 9.0, "bits": 1.8}, {"score": 0.0, "bits": 40.2}],
    "acceptance": 0.31,
    "mixed": True,
    "mixing": "8 repetitions agree",
    "random_label_bits": 92.0,
    "random_label_bits_low": 87.0,
    "random_label_bits_high": 97.0,
    "random_label_status": "sampled",
    "random_label_floor": 61.1,
    "random_labels_impossible": 0,
    "random_labels": [90.0, 95.0, 91.0, 88.0, 96.0],
    "difference": {"bits": 51.8, "low": 41.0, "high": 62.0},
    "majority_bits": 5.1,
    "majority_bits_low": 4.9,
    "majority_bits_high": 5.3,
    "majority_status": "sampled",
    "growth": {
        "points": [
            {"rows": n, "bits": b, "bits_low": b - 0.5, "bits_high": b + 0.5, "status": "sampled",
             "random_bits": r, "random_bits_low": r - 3.0, "random_bits_high": r + 3.0,
             "random_status": "sampled"}
            for n, b, r in ((8, 9.0, 10.0), (16, 16.0, 21.0), (32, 27.0, 46.0), (48, 34.0, 70.0),
                            (64, 40.2, 92.0))
        ],
        "exponent": 0.62, "exponent_low": 0.5, "exponent_high": 0.74,
        "parameters": 13.2, "parameters_low": 11.0, "parameters_high": 15.4,
        "parameters_status": "sampled", "reason": "",
    },
    "error_bound": 0.381,
    "error_bound_delta": 0.05,
    "error_bound_vote": 0.762,
    "error_bound_scans": 1,
    "error_bound_reason": "",
    "guess_and_check_error": 0.12,
    "guess_and_check_error_low": 0.09,
    "guess_and_check_error_high": 0.15,
    "vote_error": 0.08,
    "vote_error_low": 0.06,
    "vote_error_high": 0.11,
    "accepted_networks": 64,
    "majority_error": 0.47,
    "training": {
        "optimiser": "Adam, rate 0.01, all rows a step, at most 2000 steps",
        "seeds": [{"steps": 80 + i, "train_errors": 0, "test_error": 0.1 + 0.01 * i,
                   "multiply_adds": 2.7e6} for i in range(5)],
        "reached": 5, "test_error": 0.12, "test_error_low": 0.09, "test_error_high": 0.15,
        "gain": 0.0, "gain_low": -0.015, "gain_high": 0.015,
        "multiply_adds": 2.7e6, "multiply_adds_of_sampling": 2.1e9,
    },
    "errors_curve": [
        {"errors": 0, "bits": 40.2, "bits_low": 39.6, "bits_high": 40.9, "status": "sampled"},
        {"errors": 2, "bits": 31.0, "bits_low": 30.4, "bits_high": 31.6, "status": "sampled"},
    ],
    "expensive": [
        {"row": 17, "label": "1", "wrong_share": 0.61},
        {"row": 5, "label": "0", "wrong_share": 0.4},
    ],
    "expensive_at": "512 networks with 4 to 8 of 64 rows wrong",
    "contradictions": [],
    "least_errors": 0,
    "scan": {
        "width": [
            {"factor": f, "hidden": [h], "parameters": 12 * h + 1, "bits": b, "bits_low": b - 0.6,
             "bits_high": b + 0.6, "status": "sampled"}
            for f, h, b in ((0.5, 8, 38.9), (1.0, 16, 40.2), (2.0, 32, 41.6))
        ],
        "depth": [
            {"layers": 2, "hidden": [16, 16], "parameters": 465, "bits": 44.0, "bits_low": 43.0,
             "bits_high": 45.0, "status": "sampled"}
        ],
        "reasons": [],
    },
    "scan_slope": {"bits": 1.35, "low": 0.8, "high": 1.9},
    "verdict": {
        "question": "narrow teacher",
        "answer": "yes",
        "reason": "the labels cost less than half of what shuffled ones do",
        "figure": "40.9 bits at most, shuffled ones 87.0 at least",
        "next_step": "a narrower network would do: see the effective number of parameters",
    },
}  # fmt: skip


def section(**changes: Any) -> dict[str, Any]:
    """The section with keys of it in place of its own; of a part, `part={**...}`."""
    return copy.deepcopy(SECTION) | changes


def part(key: str, **changes: Any) -> dict[str, Any]:
    """The section with keys of one part of it changed."""
    return section(**{key: {**copy.deepcopy(SECTION[key]), **changes}})


LOWER_BOUND = {
    "status": "lower bound",
    "bits": 120.0,
    "bits_low": 118.0,
    "bits_high": None,
    "mixing": "stalled at level 40",
    "difference": {"bits": None, "low": None, "high": -15.0},
    "error_bound": None,
    "error_bound_vote": None,
    "error_bound_reason": "p has no lower limit",
    "guess_and_check_error": None,
    "guess_and_check_error_low": None,
    "guess_and_check_error_high": None,
    "vote_error": None,
    "vote_error_low": None,
    "vote_error_high": None,
    "accepted": 0,
    "accepted_networks": 0,
}
IMPOSSIBLE = LOWER_BOUND | {
    "bits_claim": "proved",
    "status": "exact",
    "method": "exact",
    "bits": None,
    "bits_low": None,
    "bits_per_sample": None,
    "mixed": None,
    "mixing": "equal rows with different labels: every function has at least 1 wrong",
    "repetitions": [],
    "levels": [],
    "acceptance": None,
    "difference": {"bits": None, "low": None, "high": None},
    "contradictions": [{"row": 12, "other": 3}],
    "least_errors": 1,
}
