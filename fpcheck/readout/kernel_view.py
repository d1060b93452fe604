"""Infinite width: what its kernel sees at every depth, how near this width is, and alignment."""

from __future__ import annotations

from collections.abc import Iterator

from fpcheck.core.plain import Section
from fpcheck.core.tables import Column, Item, Note, Table
from fpcheck.core.wording import sentence
from fpcheck.readout.wording import gain_at, gain_text, score_text

SHOWN = 10  # depths that are listed: the ends and what lies evenly between
DEPTH_COLUMNS = (
    Column("kernel of", "left"),
    Column("depth"),
    Column("correlation"),
    Column("spread"),
    Column("eff. rank"),
    Column("centred", priority=1),
)
TOPS = (1, 2, 5, 10, 20, 50, 100)  # leading eigenspaces that are listed
KERNELS = {
    "nngp": "infinite, NNGP",
    "ntk": "infinite, NTK",
    "features": "features, this width",
    "input": "input itself",
}


def kernel_items(kernel: Section, infinite: Section) -> Iterator[Item]:
    """The kernel by depth and its distance at this width, or why there is none."""
    if "skipped" in kernel:
        yield Note(f"No kernel at infinite width: {sentence(kernel['skipped'])}")
        return
    if kernel["depths"]:
        yield _depths(kernel)
    error = kernel["error"]
    if "skipped" in error:
        yield Note(f"No distance of this width: {sentence(error['skipped'])}")
    else:
        yield Note(
            f"At this width of {error['width']} the kernel is off by {error['error']:.1%} "
            f"(95% CI {100 * error['low']:.1f}–{100 * error['high']:.1f}; norm of the difference "
            f"over that of the kernel, {error['rows']} rows, {error['draws']} random networks)."
        )
    if infinite.get("scales"):
        yield Note(f"Infinite width: {str(infinite['scales']).rstrip('.')}.")


def alignment_items(alignments: Section | list[Section]) -> Iterator[Item]:
    """How much of the targets lies in each kernel's leading directions, before any fit."""
    if not isinstance(alignments, list):
        yield Note(f"No alignment: {sentence(alignments['skipped'])}")
        return
    known = {share["top"] for one in alignments for share in one["shares"]}
    tops = [top for top in TOPS if top in known]
    columns = (
        Column("kernel", "left"),
        Column("alignment"),
        Column("by chance", priority=1),
        *(Column(f"top {top}", priority=0 if top in (1, 5, 20) else 2) for top in tops),
    )
    rows = tuple(
        (
            kernel_name(one),
            _number(one["alignment"], ".3f"),
            f"{_number(one['chance'], '.3f')} ± {_number(one['chance_sd'], '.3f')}",
            *_shares(one, tops),
        )
        for one in alignments
    )
    count = max((one["rows"] for one in alignments), default=0)
    yield Table(
        "Alignment with the target, before any fit",
        columns,
        rows,
        f"centred, 0 to 1, {count} rows; by chance: mean and spread over all orders of the "
        "targets; top k: the share of their variance in the k leading eigenspaces (numerical)",
    )


def bias_items(bias: Section, *, asked: bool) -> Iterator[Item]:
    """What the bias correction gains, where it was asked for."""
    if "skipped" in bias:
        if asked:
            yield Note(f"No bias correction: {sentence(bias['skipped'])}")
        return
    beta = bias["beta"]
    text = (
        f"Bias correction, weights times {1.0 - beta:g} and biases of variance {beta:g}: the last "
        f"layer at initialisation scores {score_text(bias['init_score'])}, "
        f"{gain_text(gain_at(bias, 'init_gain'))} by it ({bias['draws']} draws)"
    )
    if bias["nngp_score"] is not None:
        text += (
            f"; infinite width {score_text(bias['nngp_score'])}, "
            f"{gain_text(gain_at(bias, 'nngp_gain'))} by it"
        )
    yield Note(f"{text}.")


def kernel_name(one: Section) -> str:
    """What the kernel of an alignment is called."""
    name = str(one["kernel"])
    return KERNELS.get(name, name)


def _depths(kernel: Section) -> Table:
    depths = _thinned(kernel["depths"])
    rows = tuple(
        (
            one["node"],
            str(one["depth"]),
            _number(one["off_diagonal_mean"], ".4f"),
            _number(one["off_diagonal_sd"], ".2g"),
            _number(one["effective_rank"], ".3g"),
            _number(one["centred_rank"], ".3g"),
        )
        for one in depths
    )
    caption = (
        f"infinite width, {kernel['rows']} rows: mean and spread of the correlations of different "
        "rows, effective rank with and without their mean (numerical)"
    )
    if kernel["stopped"]:
        caption += f"; ends there: {str(kernel['stopped']).rstrip('.')}"
    return Table("Kernel by depth", DEPTH_COLUMNS, rows, caption)


def _thinned(depths: list[Section]) -> list[Section]:
    if len(depths) <= SHOWN:
        return depths
    places = sorted({round(i * (len(depths) - 1) / (SHOWN - 1)) for i in range(SHOWN)})
    return [depths[place] for place in places]


def _shares(one: Section, tops: list[int]) -> list[str]:
    by_top = {share["top"]: share["share"] for share in one["shares"]}
    return [_number(by_top.get(top), ".1%") for top in tops]


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
