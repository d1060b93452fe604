"""A made-up trace: a run with a plateau, an escape, fixed points that come and go, a bad file."""

from __future__ import annotations

import math

from fpcheck.core.catalogue import default_limits
from fpcheck.core.plain import Section

LAYERS = tuple(f"fc{i}" for i in range(1, 7))
ESCAPE = 8


def made_up_trace(
    count: int = 20, *, data: bool = True, points: bool = True, steps: bool = True
) -> Section:
    """A document of schema fpcheck/trace/1; the options leave its parts out."""
    checkpoints = [_checkpoint(i, count, data=data, points=points, steps=steps)
                   for i in range(count)]  # fmt: skip
    return {
        "schema": "fpcheck/trace/1",
        "fpcheck": "0.1.0",
        "settings": {
            "seed": 0, "fail_on": "error", "limits": dict(default_limits()), "select": [],
            "ignore": [], "versions": {"numpy": "2.4"},
        },
        "run": {
            "name": "run_small_init",
            "checkpoints": count,
            "order": "step in the file" if steps else "name",
            "skipped": [
                {
                    "name": "step_0900.pt", "reason": "the file is cut short",
                    "hint": "copy it again",
                }
            ],
            "layers": [{"name": n, "shape": [24, 24], "activation": "relu"} for n in LAYERS],
            "parameters": 4560,
            "self_map": points,
            "data": {
                "name": "digits.npz", "rows": 1797, "task": "classification", "metric": "accuracy",
            } if data else None,
            "notes": ["step_0100.pt and step_0101.pt are the same bytes"],
        },
        "checkpoints": checkpoints,
        "tracks": _tracks(count) if points else {"skipped": "switched off: --attractors follows"},
        "trends": _trends(count, data=data),
        "findings": _findings(),
        "verdict": "warn",
        "summary": {
            "answer": "The loss leaves its plateau at step 800; the escape is low-rank, clearest "
            "in fc6.",
            "reason": "sigma1/sigma2 of fc6 rises from 1.2 to 31.",
            "next_step": "fpcheck explain FP503",
        },
    }  # fmt: skip


def _along(i: int) -> float:
    """0 on the plateau, 1 after the escape."""
    return 1.0 / (1.0 + math.exp(-1.6 * (i - ESCAPE)))


def _checkpoint(i: int, count: int, *, data: bool, points: bool, steps: bool) -> Section:
    a = _along(i)
    loss = 2.3026 * (1.0 - a) + a * (0.9 * math.exp(-0.15 * (i - ESCAPE)) + 0.05)
    return {
        "name": f"step_{100 * i:04d}.safetensors",
        "sha256": f"{i:064x}",
        "format": "safetensors",
        "step": 100 * i if steps else None,
        "loss": loss if data else None,
        "accuracy": 0.1 + 0.85 * a if data else None,
        "accuracy_in_another_order": None,
        "parameter_norm": 1.2 + 9.0 * a + 0.1 * i,
        "layers": [_layer(name, depth, i, a) for depth, name in enumerate(LAYERS, 1)],
        "signal": {
            "layers": [
                {
                    "name": name, "q": 10.0 ** (-depth * (1.0 - a)),
                    "variance": 10.0 ** (-depth * (1.0 - a)) * 0.9, "active_fraction": 0.5,
                }
                for depth, name in enumerate(LAYERS, 1)
            ]
        },
        "attractors": {
            "fixed_points": [
                {
                    "track": "T1", "kind": "stable", "status": "proved",
                    "spectral_radius": 0.1 + 0.5 * a, "share": 0.9,
                }
            ],
            "unresolved": 0.02, "cycles": 1,
        } if points else {"skipped": "the network is not a self-map"},
        "readout": {
            "metric": "accuracy",
            "layers": [
                {
                    "name": name, "depth": depth, "score": 0.95 - 0.05 * depth * (1.0 - a),
                    "low": 0.93 - 0.05 * depth * (1.0 - a), "high": 0.97 - 0.05 * depth * (1.0 - a),
                }
                for depth, name in enumerate(LAYERS, 1)
            ],
        } if data else {"skipped": "no data; pass --data FILE"},
        "distance": {
            "from_first": 9.0 * a + 0.05 * i, "from_previous": 0.0 if i == 0 else 0.5,
            "relative": (9.0 * a + 0.05 * i) / 1.2, "path": 0.5 * i,
        },
    }  # fmt: skip


def _layer(name: str, depth: int, i: int, a: float) -> Section:
    ratio = 1.1 + 0.02 * depth + a * 5.0 * depth
    top = 0.4 + 2.0 * a
    values = [top, *(top / ratio / (1.0 + 0.2 * k) for k in range(9))]
    square = sum(v * v for v in values)
    tail = 6.0 - 3.0 * a - 0.1 * depth
    return {
        "name": name, "law": "normal" if a < 0.5 else "student_t", "tail_index": tail,
        "tail_index_low": 0.8 * tail, "tail_index_high": 1.3 * tail,
        "frobenius_norm": math.sqrt(square), "spectral_norm": top, "stable_rank": square / top**2,
        "singular_values": values, "ratio": ratio, "rest": 1.0 - top**2 / square, "nonfinite": 0,
        "from_first": 3.0 * a, "from_previous": 0.0 if i == 0 else 0.2,
    }  # fmt: skip


def _tracks(count: int) -> list[Section]:
    half = count // 2
    gone = [None] * (count - half)
    return [
        {
            "id": "T1", "born": 0, "last": count - 1, "kinds": ["stable"] * count,
            "spectral_radius": [0.1 + 0.5 * _along(i) for i in range(count)],
            "moved": [0.0] + [0.1] * (count - 1),
            "events": [{"checkpoint": 0, "kind": "born", "with": None}],
        },
        {
            "id": "T2", "born": 0, "last": half - 1, "kinds": ["stable"] * half + gone,
            "spectral_radius": [0.6 + 0.4 * i / half for i in range(half)] + gone,
            "moved": [0.0] + [0.2] * (half - 1) + gone,
            "events": [
                {"checkpoint": 0, "kind": "born", "with": None},
                {"checkpoint": half, "kind": "vanished", "with": "T3"},
            ],
        },
        {
            "id": "T3", "born": 2, "last": half - 1,
            "kinds": [None, None] + ["saddle"] * (half - 2) + gone,
            "spectral_radius": [None, None] + [1.4 - 0.4 * i / half for i in range(2, half)] + gone,
            "moved": [None, None] + [0.1] * (half - 2) + gone,
            "events": [
                {"checkpoint": 2, "kind": "born", "with": None},
                {"checkpoint": half, "kind": "vanished", "with": "T2"},
            ],
        },
    ]  # fmt: skip


def _trends(count: int, *, data: bool) -> Section:
    return {
        "tails": [
            {
                "layer": name, "tau": -0.8, "low": -0.9, "high": -0.6, "p": 1e-5,
                "direction": "heavier", "start": 5.9, "end": 2.9,
            }
            for name in LAYERS
        ],
        "most_changed": {"layer": "fc6", "relative": 4.2},
        "ratio_peaks": [
            {
                "layer": name, "depth": depth, "checkpoint": count - 1,
                "ratio": 1.1 + 5.02 * depth, "start_ratio": 1.1 + 0.02 * depth,
            }
            for depth, name in enumerate(LAYERS, 1)
        ],
        "loss": {
            "start": 2.3026, "end": 0.22, "best": 0.22, "best_at": count - 1, "escape": ESCAPE,
        } if data else {"skipped": "no data; pass --data FILE"},
        "dominant": {
            "checkpoint": ESCAPE + 1, "layers": list(LAYERS[2:]), "clearest": "fc6",
        } if data else {"skipped": "the loss is not known"},
    }  # fmt: skip


def _findings() -> list[Section]:
    common = {"low": None, "high": None, "remedy": "Try it.", "reference": "papers"}
    return [
        {
            **common, "code": "FP503", "name": "long-plateau", "severity": "warning",
            "outcome": "fail", "where": "run", "message": "the loss stays for 40% of the run",
            "found": 0.4, "limit": 0.3, "status": "numerical",
        },
        {
            **common, "code": "FP504", "name": "low-rank-escape", "severity": "info",
            "outcome": "fail", "where": "fc6", "message": "one singular value leads",
            "found": 31.2, "limit": 3.0, "status": "numerical",
        },
        {
            **common, "code": "FP511", "name": "checkpoint-not-finite", "severity": "error",
            "outcome": "pass", "where": "all checkpoints", "message": "every weight is finite",
            "found": None, "limit": None, "status": "numerical",
        },
        {
            **common, "code": "FP508", "name": "fixed-point-lost", "severity": "info",
            "outcome": "skipped", "where": "run", "message": "the network is not a self-map",
            "found": None, "limit": None, "status": "numerical",
        },
    ]  # fmt: skip
