"""Does extra width or depth cost bits? The same rows and labels, other sizes of the network."""

from __future__ import annotations

import numpy as np

from fpcheck.network.network import Network
from fpcheck.network.skeleton import Conv, Dense, Skeleton
from fpcheck.simplicity.estimate import Asked, Effort, Estimate
from fpcheck.simplicity.labelling import Labelling
from fpcheck.simplicity.networks import Prior
from fpcheck.simplicity.prior import make_prior
from fpcheck.simplicity.result import DepthPoint, Scan, ScanSlope, Skipped, WidthPoint, finite
from fpcheck.simplicity.several import Job, estimate_all, intervals, pooled
from fpcheck.simplicity.weighted_line import weighted_line
from fpcheck.theory.layer_scales import LayerLaws

FACTORS = (0.5, 1.0, 2.0, 4.0)
DEPTHS = (1, 2, 3, 4)
WIDTH, DEPTH = "width", "depth"
NOT_ASKED = "not asked; pass --label-scan width, depth or both"


def scan(
    asked: Asked,
    labelling: Labelling,
    network: Network,
    laws: LayerLaws | None,
    rng: np.random.Generator,
    effort: Effort,
) -> tuple[Scan | Skipped, ScanSlope | None]:
    """The bits at every size of settings.label_scan, and per doubling of the width.

    Raises:
        KeyboardInterrupt: the monitor asked to stop.
    """
    if not asked.settings.label_scan:
        return Skipped(NOT_ASKED), None
    priors, reasons = _priors(asked, labelling, network, laws)
    jobs = [
        Job(labelling, stream, asked.settings.label_errors, prior)
        for (_, _, prior), stream in zip(priors, rng.spawn(len(priors)), strict=True)
    ]
    found = estimate_all(asked, jobs, effort, "simplicity: other sizes")
    width, depth = [], []
    widths: list[tuple[float, Estimate]] = []
    for (kind, size, prior), each, ends in zip(priors, found, intervals(found), strict=True):
        shape = hidden_sizes(prior.skeleton)
        if kind == WIDTH:
            width.append(WidthPoint(size, shape, prior.drawn, *ends, each.status))
            widths.append((size, each))
        else:
            depth.append(DepthPoint(int(size), shape, prior.drawn, *ends, each.status))
    return Scan(tuple(width), tuple(depth), tuple(dict.fromkeys(reasons))), _slope(widths)


def _priors(
    asked: Asked, labelling: Labelling, network: Network, laws: LayerLaws | None
) -> tuple[list[tuple[str, float, Prior]], list[str]]:
    """Every size with its law of networks, and why the others have none."""
    wanted = asked.settings.label_scan
    sizes: list[tuple[str, float]] = []
    sizes += [(WIDTH, factor) for factor in FACTORS if WIDTH in wanted]
    sizes += [(DEPTH, float(layers)) for layers in DEPTHS if DEPTH in wanted]
    priors: list[tuple[str, float, Prior]] = []
    reasons: list[str] = []
    for kind, size in sizes:
        made = make_prior(
            network.skeleton, laws, asked.settings, labelling,
            width_factor=size if kind == WIDTH else 1.0,
            depth=int(size) if kind == DEPTH else None,
            tensors=network.parameters,
        )  # fmt: skip
        if isinstance(made, str):
            reasons.append(f"{kind} {size:g}: {made}")
        else:
            priors.append((kind, size, made))
    return priors, reasons


def scanned(found: Scan | Skipped) -> int:
    """Among how many architectures a reader of the scan can choose, the given one among them."""
    if isinstance(found, Skipped):
        return 1
    sizes = {point.hidden for point in found.width} | {point.hidden for point in found.depth}
    return max(1, len(sizes))


def hidden_sizes(skeleton: Skeleton) -> tuple[int, ...]:
    """The units or channels of every layer with weights but the last."""
    layers = [node for node in skeleton.nodes if isinstance(node, Dense | Conv)]
    return tuple(node.units if isinstance(node, Dense) else node.channels for node in layers[:-1])


def _slope(widths: list[tuple[float, Estimate]]) -> ScanSlope | None:
    """Bits per doubling of the width, None where fewer than three widths have an estimate."""
    known = [(size, each) for size, each in widths if each.known]
    if len(known) < 3:
        return None
    x = np.log2([size for size, _ in known])
    found = pooled([each for _, each in known])
    line = weighted_line(x, found.bits, found.errors, found.freedom)
    return ScanSlope(line.slope, finite(line.low), finite(line.high))
