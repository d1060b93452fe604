"""The bench as tables: our time, each peer's over ours, and the share of the machine's peak."""

from __future__ import annotations

from fpcheck.core.tables import Column, Note, Panel, Table
from fpcheck.jobs.bench.race import OURS, BenchRow
from fpcheck.jobs.bench.run import BenchResult

COMPARED = "Adam's ends: distinct ones, those at a fixed point; Newton had Adam's time"


def bench_panel(result: BenchResult) -> Panel:
    """The result as one panel: a table for every group of rows."""
    groups = dict.fromkeys(row.group for row in result.rows)
    tables = [_table(group, [r for r in result.rows if r.group == group]) for group in groups]
    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items())
    caption = f"{result.processor}, {result.cores} cores" + (", quick" if result.quick else "")
    notes = (
        Note("medians, each way timed in turn; answers were compared first"),
        Note(f"a peer's figure is its time over ours; peak: {result.peak_gflops:.1f} GFLOP/s"),
        *([Note(COMPARED)] if any(row.counts for row in result.rows) else []),
        Note(versions),
    )
    return Panel("Bench", caption, (*tables, *notes))


def _table(group: str, rows: list[BenchRow]) -> Table:
    peers = list(dict.fromkeys(peer for row in rows for peer in row.ratios))
    counted = any(row.gflops is not None for row in rows)
    columns = [Column("case", "left"), Column(OURS)] + [Column(peer) for peer in peers]
    found = list(dict.fromkeys(name for row in rows for name in row.counts))
    columns += [Column(name) for name in found]
    if counted:
        columns += [Column("GFLOP/s", priority=1), Column("of peak")]
    return Table(group, tuple(columns), tuple(_cells(row, peers, found, counted) for row in rows))


def _cells(row: BenchRow, peers: list[str], found: list[str], counted: bool) -> tuple[str, ...]:
    ratios = [f"x{row.ratios[peer]:.2f}" if peer in row.ratios else "-" for peer in peers]
    cells = [row.case, _seconds(row.seconds[OURS]), *ratios]
    cells += [row.counts.get(name, "-") for name in found]
    if counted:
        cells.append("-" if row.gflops is None else f"{row.gflops:.1f}")
        cells.append("-" if row.peak_share is None else f"{100 * row.peak_share:.0f}%")
    return tuple(cells)


def _seconds(seconds: float) -> str:
    if seconds < 1e-3:
        return f"{1e6 * seconds:.0f} us"
    if seconds < 1.0:
        return f"{1e3 * seconds:.3g} ms"
    return f"{seconds:.3g} s"
