"""A readout section of a report in which every rule passes, to change key by key."""

from __future__ import annotations

from typing import Any

from fpcheck.core.plain import as_section
from fpcheck.readout.result import (
    Alignment,
    BiasCorrection,
    DepthSpread,
    Duplicates,
    EigenShare,
    Fit,
    Gain,
    InfiniteModel,
    InfiniteWidth,
    KernelError,
    KernelPart,
    LearningCurve,
    LearningPoint,
    ModelScore,
    Paired,
    Probe,
    Probes,
    ReadoutResult,
    Skipped,
    Stage,
    Stages,
    WidthCurve,
    WidthPoint,
)

SCORES = {
    "majority": 0.1,
    "linear_on_input": 0.9,
    "neighbours": 0.93,
    "rbf": 0.94,
    "last_layer_at_init": 0.92,
    "infinite_nngp": 0.93,
    "infinite_ntk": 0.94,
    "trained": 0.95,
    "last_layer": 0.95,
    "last_2_layers": 0.96,
}


def filled(kind, **known):
    """A dataclass with these fields, None or an empty text in those left out."""
    return kind(**{name: known.get(name) for name in kind.__dataclass_fields__})


def models():
    scored = tuple(
        ModelScore(
            name=name,
            score=value,
            low=value - 0.01,
            high=value + 0.01,
            balanced=value - 0.001,
            log_loss=0.2 if name == "last_layer" else None,
            splits=10 if name == "rbf" else 20,
            draws=5 if name == "last_layer_at_init" else 0,
            tuned="5 neighbours (median)" if name == "neighbours" else "",
        )
        for name, value in SCORES.items()
    )
    return (*scored, ModelScore("last_3_layers", skipped="there are two layers only"))


def pairs():
    names = list(SCORES)
    return tuple(
        Paired(later, earlier, gain, gain - 0.006, gain + 0.006, 20)
        for i, earlier in enumerate(names)
        for later in names[i + 1 :]
        for gain in [round(SCORES[later] - SCORES[earlier], 6)]
    )


def fits():
    common = {
        "score_train": 0.99, "penalty": 0.5, "relative_penalty": 0.01, "penalty_at_edge": False,
        "degrees_of_freedom": 30.0, "condition": 3.1e4, "rank": 64, "effective_rank": 37.2,
    }  # fmt: skip
    return (
        Fit(model="last_layer", features=64, **common),
        Fit(model="linear_on_input", features=28, **common),
    )


def kernel():
    depths = (
        DepthSpread("input", 0, 80.0, 90.0, 0.1, 0.3),
        DepthSpread("act0", 1, 40.0, 70.0, 0.4, 0.2),
        DepthSpread("act1", 2, 20.0, 50.0, 0.6, 0.1),
    )
    return filled(
        KernelPart, node="act1", rows=500, depths=depths, stopped="",
        error=filled(KernelError, error=0.12, low=0.11, high=0.13, rows=500, width=64, draws=5),
    )  # fmt: skip


def alignments():
    shares = tuple(EigenShare(top, min(1.0, 0.1 * top)) for top in (1, 2, 5, 10, 20, 50))
    return tuple(
        filled(Alignment, kernel=name, rows=500, alignment=value, shares=shares,
               chance=0.01, chance_high=0.02, spectrum=(0.3, 0.2, 0.1, 0.05, 1e-3, 1e-5))
        for name, value in (("nngp", 0.41), ("input", 0.22))
    )  # fmt: skip


def infinite():
    model = filled(
        InfiniteModel, score=0.93, low=0.92, high=0.94, gain=0.01, gain_low=0.004, gain_high=0.016,
        relative_penalty=0.01, penalty_at_edge=False, degrees_of_freedom=80.0, splits=20,
    )  # fmt: skip
    return InfiniteWidth(model, Skipped("the step function has no slope"), "act1",
                         "sigma_w^2 and sigma_b^2 of each layer's own entries")  # fmt: skip


def learning():
    points = tuple(
        LearningPoint(rows, 0.95 - 0.1 * (100 / rows), 0.9 - 0.1 * (100 / rows), 0.96)
        for rows in (168, 337, 674, 1348)
    )
    return filled(
        LearningCurve, model="last_layer", splits=20, points=points, asymptote=0.96,
        asymptote_low=0.955, asymptote_high=0.97, exponent=1.0, gap=0.008, gap_low=0.004,
        gap_high=0.02, distance=0.01, reached="unknown", misfit=1.1, asymptote_skipped="",
    )  # fmt: skip


def widths():
    points = tuple(
        WidthPoint(factor, round(64 * factor), 0.93 - 0.4 / (64 * factor), 0.9, 0.94)
        for factor in (0.25, 0.5, 1.0, 2.0, 4.0)
    )
    return filled(
        WidthCurve, points=points, limit=0.93, limit_low=0.925, limit_high=0.935, slope=0.4,
        offset=0.0, near=40.0, near_low=20.0, near_high=90.0, distance=0.01, misfit=0.9,
        fitted_from=16, nngp=0.93, draws=5, splits=10, limit_skipped="",
    )  # fmt: skip


def stages():
    common = {"low": 0.94, "high": 0.97, "splits": 5}
    two = {"gain": 0.01, "gain_low": 0.002, "gain_high": 0.018, "over_last": 0.01,
           "over_last_low": 0.002, "over_last_high": 0.018}  # fmt: skip
    return filled(
        Stages, start="the weights as given", pays_from=None, margin=0.02,
        stopped="there are two layers only",
        stages=(
            filled(Stage, name="last_layer", count=1, fit="ridge", layers=("out",), parameters=650,
                   score=0.95, steps=0.0, **common),
            filled(Stage, name="last_2_layers", count=2, fit="gradient steps",
                   layers=("hidden", "out"), parameters=4810, score=0.96, steps=18.0,
                   **two, **common),
        ),
    )  # fmt: skip


def probes():
    return Probes(
        probes=(
            Probe("input", 0, 28, 28, 0.9, 0.88, 0.92),
            Probe("act0", 1, 2048, 256, 0.93, 0.91, 0.95),
            Probe("act1", 2, 64, 64, 0.95, 0.94, 0.96),
        ),
        best="act1", last="act1", gain=0.0, gain_low=0.0, gain_high=0.0, splits=10, rows=1797,
    )  # fmt: skip


def bias():
    return BiasCorrection(0.1, 0.925, 0.005, -0.002, 0.012, 0.935, 0.005, -0.003, 0.013, 5, 5)


def result(**changes) -> ReadoutResult:
    gains = (
        Gain("majority", 0.85, 0.84, 0.86),
        Gain("linear_on_input", 0.05, 0.04, 0.06),
        Gain("trained", 0.0, -0.005, 0.005),
    )
    parts = {
        "metric": "accuracy", "task": "classification", "target": "10 classes",
        "classes": tuple("0123456789"), "class_sizes": (180,) * 10,
        "rows": 1797, "test_rows": 449, "splits": 20, "interval": "95 %",
        "layer": "out", "feature_source": "act1",
        "last_layer": 0.95, "last_layer_low": 0.94, "last_layer_high": 0.96,
        "linear_on_input": 0.9, "linear_on_input_low": 0.89, "linear_on_input_high": 0.91,
        "linear_on_input_skipped": "", "linear_rank": None,
        "majority": 0.1, "majority_low": 0.09, "majority_high": 0.11,
        "trained": 0.95, "trained_low": 0.94, "trained_high": 0.96, "trained_skipped": "",
        "balanced_accuracy": {"last_layer": 0.94, "majority": 0.1},
        "fits": fits(), "gains": gains, "models": models(), "paired": pairs(),
        "initial": "normal, with each layer's own measured variances",
        "infinite_width": infinite(), "kernel": kernel(), "alignment": alignments(),
        "learning_curve": learning(), "width_curve": widths(), "stages": stages(),
        "probes": probes(), "bias_correction": Skipped("not asked; pass --bias-share BETA"),
        "duplicates": Duplicates(0, 0.0, 0),
        "verdict": "enough", "verdict_because": "last layer minus the linear model is +0.05",
        "decided_by": "over_linear", "next_step": "keep the inner layers as they are",
        "notes": ("inputs scaled: multiplied by 0.0625",), "status": "sampled",
    }  # fmt: skip
    return filled(ReadoutResult, **{**parts, **changes})


def section(**changes) -> dict[str, Any]:
    """The section of `result`, with keys of the report changed."""
    return {**as_section(result()), **changes}
