"""What the readout question answers; the field names are the keys of the JSON report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fpcheck.core.findings import Status
from fpcheck.readout.result.curves import LearningCurve, WidthCurve
from fpcheck.readout.result.depths import Probes, Stages
from fpcheck.readout.result.kernels import Alignment, BiasCorrection, InfiniteWidth, KernelPart
from fpcheck.readout.result.scores import Duplicates, Fit, Gain, ModelScore, Paired
from fpcheck.readout.result.skipped import Skipped


@dataclass(frozen=True, slots=True)
class ReadoutResult:
    """Held-out scores of the last layer fitted again, beside simpler models and the network itself.

    metric: accuracy (share of rows) or r2. Scores are means over `splits` random splits, _low and
    _high their 95 % intervals; None is "not measured", and `<key>_skipped` says why. majority is
    the mean predictor where the target is numbers. layer: the dense layer that is fitted again;
    feature_source: the node whose values it sees. linear_rank: the width that the linear model is
    held to where its target is its own input. balanced_accuracy: the mean over the classes of
    their accuracies, by model. models, paired: the comparison that decides; costly models see the
    first splits alone, as many as `splits` of each says. initial: how random networks are drawn.
    decided_by: the figure's name. Parts that could not be measured are {"skipped": why}.
    """

    metric: str
    task: str
    target: str
    classes: tuple[str, ...]
    class_sizes: tuple[int, ...]
    rows: int
    test_rows: int
    splits: int
    interval: str
    layer: str
    feature_source: str
    last_layer: float
    last_layer_low: float
    last_layer_high: float
    linear_on_input: float | None
    linear_on_input_low: float | None
    linear_on_input_high: float | None
    linear_on_input_skipped: str
    linear_rank: int | None
    majority: float
    majority_low: float
    majority_high: float
    trained: float | None
    trained_low: float | None
    trained_high: float | None
    trained_skipped: str
    balanced_accuracy: Mapping[str, float]
    fits: tuple[Fit, ...]
    gains: tuple[Gain, ...]
    models: tuple[ModelScore, ...]
    paired: tuple[Paired, ...]
    initial: str
    infinite_width: InfiniteWidth | Skipped
    kernel: KernelPart | Skipped
    alignment: tuple[Alignment, ...] | Skipped
    learning_curve: LearningCurve | Skipped
    width_curve: WidthCurve | Skipped
    stages: Stages | Skipped
    probes: Probes | Skipped
    bias_correction: BiasCorrection | Skipped
    duplicates: Duplicates
    verdict: str
    verdict_because: str
    decided_by: str
    next_step: str
    notes: tuple[str, ...]
    status: Status = "sampled"
