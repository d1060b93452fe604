"""What the readout question answers, part by part."""

from fpcheck.readout.result.curves import LearningCurve, LearningPoint, WidthCurve, WidthPoint
from fpcheck.readout.result.depths import Probe, Probes, Stage, Stages
from fpcheck.readout.result.kernels import (
    Alignment,
    BiasCorrection,
    DepthSpread,
    EigenShare,
    InfiniteModel,
    InfiniteWidth,
    KernelError,
    KernelPart,
)
from fpcheck.readout.result.readout import ReadoutResult
from fpcheck.readout.result.scores import Duplicates, Fit, Gain, ModelScore, Paired
from fpcheck.readout.result.skipped import Skipped

__all__ = [
    "Alignment",
    "BiasCorrection",
    "DepthSpread",
    "Duplicates",
    "EigenShare",
    "Fit",
    "Gain",
    "InfiniteModel",
    "InfiniteWidth",
    "KernelError",
    "KernelPart",
    "LearningCurve",
    "LearningPoint",
    "ModelScore",
    "Paired",
    "Probe",
    "Probes",
    "ReadoutResult",
    "Skipped",
    "Stage",
    "Stages",
    "WidthCurve",
    "WidthPoint",
]
