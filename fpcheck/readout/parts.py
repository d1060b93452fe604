"""The parts of the result that stand beside the models' scores."""

from __future__ import annotations

from dataclasses import dataclass

from fpcheck.readout.result import (
    Alignment,
    BiasCorrection,
    Duplicates,
    InfiniteWidth,
    KernelPart,
    LearningCurve,
    Probes,
    Skipped,
    Stages,
    WidthCurve,
)


@dataclass(frozen=True, slots=True)
class Parts:
    """By the names that they have in the report; initial: how random networks are drawn."""

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
