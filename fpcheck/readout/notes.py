"""What the report notes on its models: who saw fewer splits, whose penalty ends the grid."""

from __future__ import annotations

from collections.abc import Mapping

from fpcheck.readout.comparison import ORDER
from fpcheck.readout.kernel_ridge import KERNEL_PENALTIES
from fpcheck.readout.models import Scored
from fpcheck.readout.result import InfiniteModel, InfiniteWidth, Skipped
from fpcheck.readout.wording import NAMES

# Degrees of freedom, as a share of the training rows, from which a fit passes through them: the
# penalty then moves predictions no more.
INTERPOLATES = 0.9


def fewer_splits(compared: Mapping[str, Scored], splits: int) -> tuple[str, ...]:
    """On how many splits the costly models were scored, where it is not on all."""
    fewer: dict[int, list[str]] = {}
    for name in ORDER:
        count = len(compared[name].by_split) if compared[name].known else splits
        if count < splits:
            fewer.setdefault(count, []).append(NAMES.get(name, name))
    return tuple(
        f"scored on the first {count} of the {splits} splits: {'; '.join(names)}"
        for count, names in fewer.items()
    )


def edge_notes(found: InfiniteWidth | Skipped, train_rows: int) -> tuple[str, ...]:
    """Which dual kernels took the first or last penalty of the grid, and whether that matters."""
    if isinstance(found, Skipped):
        return ()
    models = {"infinite_nngp": found.nngp, "infinite_ntk": found.ntk}
    return tuple(
        f"{NAMES[name]}: {words}"
        for name, model in models.items()
        if isinstance(model, InfiniteModel) and (words := _edge(model, train_rows))
    )


def _edge(model: InfiniteModel, train_rows: int) -> str:
    penalty, freedom = model.relative_penalty, model.degrees_of_freedom
    if penalty <= KERNEL_PENALTIES[0]:
        words = f"the least penalty that was tried, {penalty:.0e} of the mean eigenvalue, is best"
        if freedom > INTERPOLATES * train_rows:
            return (
                f"{words}; there the fit passes through the training rows ({freedom:.0f} degrees "
                f"of freedom for {train_rows}), and smaller ones change next to nothing"
            )
        return f"{words}; a smaller one may do better"
    if penalty >= KERNEL_PENALTIES[-1]:
        return (
            f"the largest penalty that was tried, {penalty:.0e} of the mean eigenvalue, is best, "
            "which leaves little but the mean"
        )
    return ""
