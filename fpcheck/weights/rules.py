"""What the weights' numbers mean for the verdict: FP001 to FP006."""

from __future__ import annotations

import math
from collections.abc import Mapping

from fpcheck.core.catalogue import default_limits, finding
from fpcheck.core.findings import Finding, Outcome, outcome_above, outcome_below
from fpcheck.core.plain import Section

CODES = ("FP001", "FP002", "FP003", "FP004", "FP005", "FP006")
MOST_FAILS = 5  # of one rule; the last one says how many more there are


def judge(section: Section, limits: Mapping[str, float]) -> tuple[Finding, ...]:
    """The findings of the section "weights", at least one for each of its rules.

    limits: by name; those left out take their defaults.
    """
    if "skipped" in section:
        return tuple(_one(code, "skipped", "weights", str(section["skipped"])) for code in CODES)
    limits = {**default_limits(), **limits}
    return (
        *_nonfinite(section),
        *_units(section, "FP002", "dead_units", "dead", limits["max_dead_share"]),
        *_units(section, "FP003", "duplicate_units", "duplicate", limits["max_duplicate_share"]),
        _unused(section),
        *_criticality(section, limits["max_chi1_distance"]),
        *_heavy_tails(section, limits["min_tail_index"]),
    )


def _nonfinite(section: Section) -> list[Finding]:
    bad = sorted(
        (layer for layer in section["layers"] if layer["nonfinite"] != 0),
        key=lambda layer: -layer["nonfinite"],
    )
    if not bad:
        if not section["layers"]:
            return [_one("FP001", "skipped", "all layers", "there are no floating-point tensors")]
        message = f"all {section['parameters']} weights are finite"
        unknown = section.get("unmeasured", [])
        if unknown:
            return [_unknown("FP001", f"{message} that were measured", unknown)]
        return [_one("FP001", "pass", "all layers", message, found=0.0, limit=0.0)]
    return [
        _one(
            "FP001",
            "fail",
            layer["name"],
            f"{_count(layer['nonfinite'], 'entry', 'entries')} of {_size(layer['shape'])} "
            f"NaN or infinite{_more(bad, number)}",
            found=float(layer["nonfinite"]),
            limit=0.0,
        )
        for number, layer in enumerate(bad[:MOST_FAILS])
    ]


def _units(section: Section, code: str, key: str, word: str, limit: float) -> list[Finding]:
    """One rule about the share of a layer's units that are `word`."""
    shares = {
        layer["name"]: (layer[key] / layer["units"], layer)
        for layer in section["layers"]
        if layer[key] is not None and layer["units"]
    }
    if not shares:
        reason = "no tensor is a matrix of finite weights with enough entries a unit to tell"
        return [_one(code, "skipped", "all layers", reason)]
    bad = sorted(
        ((share, layer) for share, layer in shares.values() if _fails(share, limit)),
        key=lambda pair: -pair[0],
    )
    if not bad:
        worst = max(share for share, _ in shares.values())
        least = f"more than {limit:.2%} " if limit > 0 else ""
        message = f"no layer has {least}{word} units"
        unknown = list(section.get("unmeasured", []))
        if key == "duplicate_units":
            unknown += section.get("in_blocks", [])
        if unknown:
            return [_unknown(code, f"{message} where they were counted", unknown)]
        return [_one(code, "pass", "all layers", message, found=worst, limit=limit)]
    layers = [layer for _, layer in bad]
    return [
        _one(
            code,
            "fail",
            layer["name"],
            f"{_count(layer[key], 'unit', 'units')} of {layer['units']} {word}"
            f"{_how(layer) if key == 'dead_units' else ''}{_more(layers, number)}",
            found=share,
            limit=limit,
        )
        for number, (share, layer) in enumerate(bad[:MOST_FAILS])
    ]


def _unknown(code: str, message: str, names: list[str]) -> Finding:
    """A pass that does not hold for the tensors called `names`, which were too large."""
    more = f" and {len(names) - MOST_FAILS} more" if len(names) > MOST_FAILS else ""
    listed = ", ".join(names[:MOST_FAILS])
    return _one(code, "inconclusive", names[0], f"{message}; not known of {listed}{more}")


def _unused(section: Section) -> Finding:
    unused = section["unused"]
    if unused is None:
        reason = "without a network nothing says which tensors are used"
        return _one("FP004", "skipped", "all layers", reason)
    if not unused:
        message = "every tensor is used by a layer"
        return _one("FP004", "pass", "all layers", message, found=0.0, limit=0.0)
    more = f" and {len(unused) - MOST_FAILS} more" if len(unused) > MOST_FAILS else ""
    message = f"no layer uses {', '.join(unused[:MOST_FAILS])}{more}"
    return _one("FP004", "fail", unused[0], message, found=float(len(unused)), limit=0.0)


def _criticality(section: Section, limit: float) -> list[Finding]:
    known = section.get("criticality", [])
    if not known:
        reason = "no hidden layer with a known activation looks like a named initialiser"
        return [_one("FP005", "skipped", "all layers", reason)]
    far = sorted(
        (entry for entry in known if _fails(abs(entry["chi1"] - 1.0), limit)),
        key=lambda entry: -abs(math.log(entry["chi1"])) if entry["chi1"] > 0.0 else -math.inf,
    )
    if not far:
        worst = max(abs(entry["chi1"] - 1.0) for entry in known)
        message = f"every recognised initialiser has chi_1 within {limit:g} of 1"
        return [_one("FP005", "pass", "all layers", message, found=worst, limit=limit)]
    return [
        _one(
            "FP005",
            "fail",
            entry["layers"][0],
            entry["sentence"],
            found=abs(entry["chi1"] - 1.0),
            limit=limit,
        )
        for entry in far[:MOST_FAILS]
    ]


def _heavy_tails(section: Section, limit: float) -> list[Finding]:
    """The heaviest tail; or what is undecided; or one pass for all matrices."""
    known = [layer for layer in section["layers"] if layer.get("tail_index") is not None]
    if not known:
        reason = "no matrix has enough different entries for a tail"
        return [_one("FP006", "skipped", "all layers", reason)]
    order = sorted(known, key=lambda layer: layer["tail_index"])
    outcomes = {
        layer["name"]: outcome_below(layer["tail_index_low"], layer["tail_index_high"], limit)
        for layer in order
    }
    heavy = [layer for layer in order if outcomes[layer["name"]] == "fail"]
    unknown = [layer for layer in order if outcomes[layer["name"]] == "inconclusive"]
    if heavy:
        rest = f"; {_count(len(heavy) - 1, 'matrix', 'matrices')} more" if len(heavy) > 1 else ""
        return [_of_tail(heavy[0], "fail", limit, rest)]
    if unknown:
        rest = f"; {len(unknown) - 1} more undecided" if len(unknown) > 1 else ""
        return [_of_tail(unknown[0], "inconclusive", limit, rest)]
    return [_of_tail(order[0], "pass", limit, "")]


def _of_tail(layer: Section, outcome: Outcome, limit: float, more: str) -> Finding:
    index = layer["tail_index"]
    meaning = "the fourth moment" if index >= 2.0 else "the variance"
    words = {
        "fail": f"the entries' tail index is {index:.2f}: {meaning} of such a law is infinite",
        "inconclusive": f"the entries' tail index is {index:.2f}, too uncertain to call",
        "pass": "no matrix has heavy-tailed entries",
    }[outcome]
    return finding(
        "FP006", outcome, where="all layers" if outcome == "pass" else layer["name"],
        message=words + more, status="sampled", found=index, low=layer["tail_index_low"],
        high=layer["tail_index_high"], limit=limit,
    )  # fmt: skip


def _fails(share: float, limit: float) -> bool:
    return outcome_above(share, share, limit) != "pass"


def _how(layer: Section) -> str:
    """Which side of the dead units is empty."""
    parts = []
    if layer["dead_without_inputs"]:
        parts.append(f"{layer['dead_without_inputs']} without incoming weights")
    if layer["dead_without_outputs"]:
        parts.append(f"{layer['dead_without_outputs']} without outgoing weights")
    return f" ({', '.join(parts)})"


def _more(bad: list[Section], number: int) -> str:
    """What the last of the listed fails says about the rest."""
    rest = len(bad) - MOST_FAILS
    return (
        f"; and {_count(rest, 'layer', 'layers')} more"
        if (rest > 0 and number == MOST_FAILS - 1)
        else ""
    )


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _size(shape: list[int]) -> str:
    return " x ".join(str(n) for n in shape) or "1"


def _one(
    code: str,
    outcome: Outcome,
    where: str,
    message: str,
    *,
    found: float | None = None,
    limit: float | None = None,
) -> Finding:
    return finding(
        code,
        outcome,
        where=where,
        message=message,
        status="numerical",
        found=found,
        limit=limit,
    )
