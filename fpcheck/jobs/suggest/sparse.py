"""Which sparse activation a network can carry: the clip for a wanted sparsity, and the region."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fpcheck import __version__
from fpcheck.core.errors import UnsupportedOperationError, UsageError
from fpcheck.core.plain import as_section
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.jobs.suggest.sparse_tried import tried_activation
from fpcheck.network.layers import layers
from fpcheck.network.load import load
from fpcheck.network.skeleton import Skeleton
from fpcheck.theory.inference_saving import InferenceSaving, inference_saving
from fpcheck.theory.sparse import (
    SLOPES,
    SPARSITIES,
    Recommendation,
    SparseRow,
    recommended,
    sparse_row,
    sparse_table,
)

SCHEMA = "fpcheck/sparse-suggestion/1"
CLIPPED = ("crelu", "cst")
LEAST_SPARSITY, MOST_SPARSITY = 0.5, 0.99
UNITS, DEPTH = 300, 100  # of the networks that Price et al. trained


@dataclass(frozen=True, slots=True)
class Size:
    """The network that is asked about: units (channels) a layer, layers, positions (1: dense)."""

    units: int
    depth: int
    positions: int
    source: str


@dataclass(frozen=True, slots=True)
class SparseChoice:
    """One activation at the wanted sparsity: what to take, and the clips around it."""

    name: str
    recommendation: Recommendation
    clips: tuple[SparseRow, ...]


@dataclass(frozen=True, slots=True)
class SparseSuggestion:
    """The answer for one sparsity, and the region over all of them for the first activation.

    unclipped: the same sparsity without a clip. saving: of the network's multiplications, None
    without a network.
    """

    sparsity: float
    size: Size
    choices: tuple[SparseChoice, ...]
    unclipped: SparseRow | None
    region: tuple[SparseRow, ...]
    saving: InferenceSaving | None
    status: str = "numerical"


def suggest_sparse(
    model: object | None,
    sparsity: float,
    *,
    spec: str | Path | None = None,
    activation: str | None = None,
    output_activation: str | None = None,
    key: str | None = None,
    layout: str | None = None,
    input_shape: tuple[int, ...] | None = None,
    clip: float | None = None,
    units: int | None = None,
    depth: int | None = None,
    q_star: float | None = None,
    data: str | Path | None = None,
    target: str | None = None,
    settings: Settings | None = None,
    monitor: Monitor | None = None,
) -> dict[str, Any]:
    """The sparse activation to take for a wanted sparsity, as plain data.

    Args:
        model: the network whose width and depth count, as `analyze` takes it; None for `units` and
            `depth` alone.
        spec, activation, output_activation, key, layout, input_shape: as `analyze`.
        sparsity: the wanted share of zeros, P(phi = 0), at initialisation.
        clip: judge this clip m too.
        units, depth: in place of the network's own.
        q_star: the variance that tau and m are for; 1 unless given.
        data, target: rows to train on for a moment, as the network is and with the first of the
            suggested activations.
        settings: the seed, the number of threads, and how that short run steps.
        monitor: hears of progress and can stop the work.

    Raises:
        FpcheckError: the model cannot be read; the sparsity is outside [0.5, 0.99], or a size is
            not positive.
    """
    if not LEAST_SPARSITY <= sparsity <= MOST_SPARSITY:
        raise UsageError(
            f"a sparsity lies between {LEAST_SPARSITY} and {MOST_SPARSITY}, got {sparsity:g}",
            where="--sparsity",
            hint="below 0.5 plain ReLU does: half of its values are zero",
        )
    if clip is not None and not 0.0 < clip < math.inf:
        raise UsageError(f"a clip is positive, got {clip:g}", where="--clip")
    skeleton, name, subject = None, "", None
    if model is not None:
        subject = load(
            model, spec=spec, activation=activation, output_activation=output_activation, key=key,
            layout=layout, seed=settings.seed if settings else 0, input_shape=input_shape,
        )  # fmt: skip
        name, skeleton = subject.name, subject.outline
        if subject.network is not None:
            skeleton = subject.network.skeleton
        if skeleton is None:
            raise UnsupportedOperationError(subject.no_network, where=name, hint=subject.hint)
    size = _size(skeleton, name, units, depth)
    q = 1.0 if q_star is None else q_star
    watch = monitor or Monitor()
    choices = []
    for each in CLIPPED:
        watch.check()
        watch.report(f"{each} at sparsity {sparsity:g}", 0, 0)
        choices.append(_choice(each, sparsity, clip, size, q))
    region: list[SparseRow] = []
    for done, s in enumerate(SPARSITIES):
        watch.check()
        watch.report("safe region", done, len(SPARSITIES))
        region += sparse_table(
            CLIPPED[0], (s,), width=size.units, depth=size.depth, q_star=q,
            positions=size.positions,
        )  # fmt: skip
    result = SparseSuggestion(
        sparsity=sparsity,
        size=size,
        choices=tuple(choices),
        unclipped=sparse_row(
            "shifted_relu", sparsity, None, size.units, size.depth, q_star=q,
            positions=size.positions,
        ),
        region=tuple(region),
        saving=None if skeleton is None else inference_saving(skeleton, sparsity),
    )  # fmt: skip
    tried = tried_activation(
        subject, CLIPPED[0], choices[0].recommendation, data, target, q, settings or Settings(),
        watch,
    )  # fmt: skip
    document = {"schema": SCHEMA, "fpcheck": __version__, "subject": name, **as_section(result)}
    return {**document, "short_run": tried}


def _choice(name: str, sparsity: float, clip: float | None, size: Size, q: float) -> SparseChoice:
    def table(slopes: Sequence[float], ms: Sequence[float] | None) -> tuple[SparseRow, ...]:
        return sparse_table(
            name, (sparsity,), slopes=slopes, ms=ms, width=size.units, depth=size.depth, q_star=q,
            positions=size.positions,
        )  # fmt: skip

    rows = [*table(SLOPES, None), *(table((), (clip,)) if clip is not None else ())]
    best = recommended(name, sparsity, size.units, size.depth, q_star=q, positions=size.positions)
    ordered = sorted(rows, key=lambda row: row.m or 0.0)
    return SparseChoice(name, best, tuple(ordered))


def _size(skeleton: Skeleton | None, name: str, units: int | None, depth: int | None) -> Size:
    """The sizes asked for, else the network's own, else those of the paper's networks."""
    for flag, value in (("--units", units), ("--depth", depth)):
        if value is not None and value < 1:
            raise UsageError(f"{flag} must be positive, got {value}", where=flag)
    stack = layers(skeleton) if skeleton is not None else ()
    if not stack:
        given = units is not None and depth is not None
        source = "as asked" if given else "as asked, else the networks of Price et al. 2024"
        return Size(units or UNITS, depth or DEPTH, 1, source)
    hidden = stack[:-1] or stack
    common, _ = Counter(layer.units for layer in hidden).most_common(1)[0]
    places = sorted(math.prod(layer.shape[1:]) for layer in hidden if layer.kind != "dense")
    positions = places[len(places) // 2] if len(places) > len(hidden) // 2 else 1
    return Size(units or common, depth or len(stack), positions, f"of {name}")
