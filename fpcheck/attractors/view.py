"""The attractors section of a report as tables, bars and notes."""

from __future__ import annotations

from collections.abc import Iterable

from fpcheck.attractors.knowledge_view import knowledge_items
from fpcheck.attractors.motion_view import motion_items
from fpcheck.attractors.surroundings_view import surroundings_items
from fpcheck.core.findings import Finding
from fpcheck.core.plain import Section
from fpcheck.core.tables import Bar, Bars, Column, Item, Note, Panel, Table

TITLE = "Attractors"
# Rows of a table or bars that are shown; the report holds all that were listed.
SHOWN = 12

POINT_COLUMNS = (
    Column("id", "left"),
    Column("kind", "left"),
    Column("ρ(J)"),
    Column("leading λ", priority=2),
    Column("τ steps", priority=2),
    Column("max‖Jᵏ‖", priority=3),
    Column("only one in"),
    Column("flows from", priority=1),
    Column("basin"),
    Column("95% CI", priority=1),
    Column("rule", "left"),
)
CYCLE_COLUMNS = (
    Column("id", "left"),
    Column("period"),
    Column("kind", "left", priority=1),
    Column("ρ(return)"),
    Column("Lyapunov", priority=1),
    Column("only one in"),
    Column("flows from", priority=2),
    Column("basin"),
    Column("95% CI", priority=1),
)


def view(section: Section, findings: tuple[Finding, ...]) -> Panel:
    """The panel of the attractors section, or why there is none."""
    if "skipped" in section:
        return Panel(TITLE, "skipped", (Note(str(section["skipped"])),))
    items: list[Item] = []
    for one in section["maps"]:
        suffix = f" of {one['name']}" if len(section["maps"]) > 1 else ""
        items += _map_items(one, findings, suffix)
    return Panel(TITLE, _caption(section["maps"]), tuple(items))


def _caption(maps: list[Section]) -> str:
    first = maps[0]
    return f"{first['starts']} starts from {first['start_law']}, x ← f(x)"


def _map_items(one: Section, findings: tuple[Finding, ...], suffix: str) -> Iterable[Item]:
    if one["fixed_points"]:
        yield _points_table(one, findings, suffix)
    else:
        yield Note(f"No fixed point was found{suffix}.")
    if one["cycles"]:
        yield _cycles_table(one, suffix)
    yield from motion_items(one, suffix)
    yield _basins(one, suffix)
    yield from knowledge_items(one, suffix)
    yield from surroundings_items(one, suffix)
    yield from _notes(one)


def _points_table(one: Section, findings: tuple[Finding, ...], suffix: str) -> Table:
    points = one["fixed_points"]
    rows = tuple(
        (
            point["id"],
            _kind(point),
            _number(point["spectral_radius"], ".3f"),
            _eigenvalue(point["leading_eigenvalue"]),
            _steps(point),
            _number(point.get("decay", {}).get("transient_growth"), ".3g"),
            _number(point.get("certified_radius"), ".1e"),
            _number(point.get("attracting_radius"), ".2g"),
            f"{point['share']:.1%}",
            _interval(point),
            _rule(findings, f"fixed point {point['id']}{suffix}"),
        )
        for point in points[:SHOWN]
    )
    return Table(f"Fixed points{suffix}", POINT_COLUMNS, rows, _points_caption(points))


def _points_caption(points: list[Section]) -> str:
    proved = sum(point["status"] == "proved" for point in points)
    if not proved:
        return _more(len(points), "found numerically; shares sampled")
    what = (
        f"{proved} of {len(points)} proved: exactly one fixed point within the radius under "
        "“only one in” (largest entry); what starts within “flows from” (2-norm) ends there; "
        "shares sampled"
    )
    return _more(len(points), what)


def _cycles_table(one: Section, suffix: str) -> Table:
    rows = tuple(
        (
            cycle["id"],
            str(cycle["period"]),
            cycle["kind"],
            _number(cycle["spectral_radius"], ".3f"),
            _number(cycle["lyapunov"], "+.3f"),
            _number(cycle.get("certified_radius"), ".1e"),
            _number(cycle.get("attracting_radius"), ".2g"),
            f"{cycle['share']:.1%}",
            _interval(cycle),
        )
        for cycle in one["cycles"][:SHOWN]
    )
    proved = sum(cycle["status"] == "proved" for cycle in one["cycles"])
    caption = f"{proved} of {len(one['cycles'])} proved; shares sampled"
    return Table(f"Cycles{suffix}", CYCLE_COLUMNS, rows, _more(len(one["cycles"]), caption))


def _basins(one: Section, suffix: str) -> Bars:
    settled = [each for each in (*one["fixed_points"], *one["cycles"]) if each["starts"]]
    settled.sort(key=lambda each: -each["share"])
    bars = [Bar(each["id"], each["share"], f"{each['share']:.1%}") for each in settled[:SHOWN]]
    rest = sum(each["share"] for each in settled[SHOWN:])
    count = len(settled[SHOWN:])
    for key in ("other_fixed_points", "other_cycles"):
        if one[key]:
            rest += one[key]["share"]
            count += one[key]["count"]
    if count:
        bars.append(Bar("…", rest, f"{rest:.1%}  {count} others"))
    moving = one.get("aperiodic")
    if moving and moving["starts"]:
        bars.append(Bar("~", moving["share"], f"{moving['share']:.1%}  never repeat"))
    unresolved, diverged = one["unresolved"], one["diverged"]
    words = f"unresolved after {one['max_steps']} steps"
    bars.append(Bar("?", unresolved["share"], f"{unresolved['share']:.1%}  {words}"))
    bars.append(Bar("∞", diverged["share"], f"{diverged['share']:.1%}  diverged"))
    upper = one["undiscovered_mass_upper"]
    caption = f"share of the {one['starts']} starts; not found: at most {upper:.2%} (95%, sampled)"
    return Bars(f"Basins{suffix}", tuple(bars), caption)


def _notes(one: Section) -> Iterable[Note]:
    if one["continuum"]:
        yield Note(f"{one['continuum']['note']} (dimension {one['continuum']['dimension']}).")
    notes = {each["note"] for each in (*one["fixed_points"], *one["cycles"]) if each["note"]}
    for text in sorted(notes)[:3]:
        yield Note(f"Stability: {text}.")


def _kind(point: Section) -> str:
    if point["kind"] == "saddle" and point["unstable_directions"] is not None:
        return f"saddle, {point['unstable_directions']} up"
    return str(point["kind"])


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _eigenvalue(value: Section | None) -> str:
    if value is None:
        return "-"
    if abs(value["imag"]) < 5e-4:
        return f"{value['real']:.3f}"
    return f"{value['real']:.2f}±{abs(value['imag']):.2f}i"


def _steps(point: Section) -> str:
    if point["time_constant"] is None:
        return "∞" if point.get("time_constant_status") == "inf" else "-"
    steps = point["time_constant"]
    return f"{steps:.1f}" if steps < 1000 else f"{steps:.0e}"


def _interval(each: Section) -> str:
    return f"{100 * each['share_low']:.1f}–{100 * each['share_high']:.1f}"


def _rule(findings: tuple[Finding, ...], where: str) -> str:
    codes = [f.code for f in findings if f.where == where and f.outcome == "fail"]
    return ", ".join(codes) if codes else "ok"


def _more(total: int, caption: str) -> str:
    return caption if total <= SHOWN else f"{total - SHOWN} more in the report; {caption}"
