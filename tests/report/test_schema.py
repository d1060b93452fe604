"""The shipped schema against the reference validator, and our validator against that one."""

from __future__ import annotations

import copy
import dataclasses
import random
import re
import typing

import jsonschema
import pytest

from fpcheck.core.settings import Settings
from fpcheck.report.report import judge_document
from fpcheck.report.schema import schema, violations

VALIDATOR = jsonschema.Draft202012Validator


def test_the_schema_is_a_schema():
    VALIDATOR.check_schema(schema())


def test_a_judged_document_is_valid(judged):
    VALIDATOR(schema()).validate(judged.document)
    assert violations(judged.document) == []


def test_new_keys_are_allowed_everywhere(judged):
    document = copy.deepcopy(judged.document)
    for place in (document, document["subject"], document["attractors"]["maps"][0]):
        place["from a later minor version"] = {"any": ["thing"]}
    VALIDATOR(schema()).validate(document)
    assert violations(document) == []


def places(value, path=()):
    """Every path into a document."""
    yield path
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from places(entry, (*path, key))
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from places(entry, (*path, index))


def damage(document, path, how):
    """The document with the value at `path` removed or replaced."""
    damaged = copy.deepcopy(document)
    parent = damaged
    for key in path[:-1]:
        parent = parent[key]
    if how == "remove":
        del parent[path[-1]]
    else:
        parent[path[-1]] = how
    return damaged


@pytest.mark.parametrize("how", ["remove", "text", -7, 3.5, None, True, [], {}], ids=str)
def test_our_validator_agrees_with_the_reference_about_every_single_damage(document, how):
    judged = judge_document(document, Settings()).document
    reference = VALIDATOR(schema())
    every = [path for path in places(judged) if path]
    chosen = random.Random(0).sample(every, min(150, len(every)))
    for path in chosen:
        damaged = damage(judged, path, how)
        assert bool(violations(damaged)) == (not reference.is_valid(damaged)), (path, how)


def results():
    """Every class whose fields are keys of the report, by the definition that describes it."""
    from fpcheck.attractors import result as attractors
    from fpcheck.escape import direction, prediction, scan, scan_cell
    from fpcheck.escape import result as escape
    from fpcheck.network import summary
    from fpcheck.readout import result as readout
    from fpcheck.signal import result as signal
    from fpcheck.simplicity import result as simplicity
    from fpcheck.theory.variance_map import FixedPoint as VarianceFixedPoint
    from fpcheck.weights import measure as weights

    yield "variance_fixed_point", VarianceFixedPoint
    whole = (simplicity.SimplicityResult, simplicity.Skipped)
    for kind in vars(simplicity).values():
        if dataclasses.is_dataclass(kind) and kind not in whole:
            ((name, _),) = described(kind)
            own = f"label_{name}"
            # The section holds the keys of some parts side by side.
            yield (own if own in schema()["$defs"] else "simplicity", kind)
    yield "escape", escape.EscapeResult
    for kind in (*vars(escape).values(), direction.LayerProfile, scan.Scan, scan_cell.Cell):
        if dataclasses.is_dataclass(kind) and kind not in (escape.EscapeResult, escape.Skipped):
            ((name, _),) = described(kind)
            yield f"escape_{name}", kind
    for kind in (direction.Direction, prediction.Prediction):
        yield "escape_direction", kind
    for module in (attractors, summary, readout, signal, weights):
        for kind in vars(module).values():
            own = f"{getattr(kind, '__module__', '')}.".startswith(f"{module.__name__}.")
            if own and dataclasses.is_dataclass(kind):
                yield from described(kind)


def described(kind, seen=None):
    """The class and those that its fields hold, each with the name of its definition."""
    seen = set() if seen is None else seen
    if kind in seen:
        return
    seen.add(kind)
    words = re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()
    yield words.removesuffix("_result"), kind
    for hint in typing.get_type_hints(kind).values():
        for part in parts_of(hint):
            # The other questions' parts stand in definitions of other names.
            if dataclasses.is_dataclass(part) and part.__module__.startswith("fpcheck.attractors"):
                yield from described(part, seen)


def parts_of(hint):
    """A type and those that it is made of."""
    yield hint
    for part in typing.get_args(hint):
        yield from parts_of(part)


def test_every_field_of_every_result_stands_in_the_schema():
    for definition, kind in results():
        described = schema()["$defs"][definition]
        for field in dataclasses.fields(kind):
            assert field.name in described["properties"], (definition, field.name)
