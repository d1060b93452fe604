"""What estimates alone decide in the report: true, shuffled and constant labels, the bound."""

from __future__ import annotations

from collections.abc import Sequence

from fpcheck.simplicity.bound import error_bound
from fpcheck.simplicity.estimate import Estimate
from fpcheck.simplicity.result import (
    DifferenceBits,
    LevelBits,
    MajorityLabels,
    RandomLabels,
    TrueLabels,
    VolumeBound,
    finite,
)
from fpcheck.simplicity.several import MeanBits, in_report, intervals

DELTA = 0.05


def true_labels(found: Estimate, rows: int) -> TrueLabels:
    """The labels as they are."""
    bits, low, high = in_report(found)
    return TrueLabels(
        bits=bits,
        bits_low=low,
        bits_high=high,
        bits_per_sample=None if bits is None else bits / rows,
        bits_claim=found.claim,
        status=found.status,
        method=found.method,
        networks=found.networks,
        accepted=found.accepted,
        repetitions=found.repetitions,
        levels=tuple(LevelBits(score, bits) for score, bits in found.levels),
        acceptance=found.acceptance,
        mixed=found.mixed,
        mixing=found.words,
    )


def random_labels(
    mean: MeanBits | None, floor: float | None, apart: DifferenceBits
) -> RandomLabels:
    """The shuffles; where none of them can be hit there is no mean."""
    if mean is None:
        return RandomLabels(None, None, None, None, floor, (), 0, apart)
    if mean.impossible == len(mean.values):
        return RandomLabels(None, None, None, "exact", floor, mean.values, mean.impossible, apart)
    return RandomLabels(
        random_label_bits=mean.mean,
        random_label_bits_low=finite(mean.low),
        random_label_bits_high=finite(mean.high),
        random_label_status=mean.status,
        random_label_floor=floor,
        random_labels=mean.values,
        random_labels_impossible=mean.impossible,
        difference=apart,
    )


def majority_labels(found: Estimate, others: Sequence[Estimate] = ()) -> MajorityLabels:
    """All rows labelled alike. others: estimates of the same effort, which tell how much it varies.

    Two repetitions alone would leave an interval from 0 on.
    """
    *_, ends = intervals((*others, found))
    return MajorityLabels(*ends, found.status)


def volume_bound(found: Estimate, rows: int, errors: int, scans: int) -> VolumeBound:
    """The bound on the error by p's lower limit, for the reader's choice among so many networks."""
    upper = finite(found.upper(scans))
    if upper is None:
        why = (
            "no network has the labels right"
            if finite(found.bits) is None
            else "p has no lower limit, so nothing bounds the error"
        )
        return VolumeBound(None, DELTA, None, scans, why)
    bound = error_bound(upper, rows, errors, delta=DELTA, choices=scans)
    words = f"by at most {upper:.1f} bits on {rows} rows"
    if errors:
        words += f" of which {errors} may be wrong"
    if scans > 1:
        words += f", for a choice among {scans} networks"
    if found.mixed is False:
        words += f"; the search is in doubt: {found.words}"
    return VolumeBound(bound.error, DELTA, bound.vote, scans, words)
