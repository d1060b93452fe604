"""The JSON schema of the spec: it accepts what the reader accepts, and knows the same words."""

from __future__ import annotations

import tomllib
from pathlib import Path

import jsonschema
import pytest

from fpcheck.core.errors import SpecError
from fpcheck.network.activations import ACTIVATIONS
from fpcheck.network.initializers import FAMILIES, NAMED_LAWS, SCALES
from fpcheck.network.inputs import INPUT_LAWS
from fpcheck.network.spec import KINDS, parse_spec, schema, template
from fpcheck.network.spec import entries as grammar

SAMPLES = sorted((Path(__file__).parents[2] / "samples").glob("*.toml"))

EXAMPLES = {
    "words": """
        [network]
        name = "all words"
        input = [2, 16]
        layers = [
          { conv1d = 4, kernel = [3], stride = 1, padding = [[1, 1]], dilation = 1, groups = 2,
            weights = { law = "lattice", levels = 8 }, biases = false, name = "c", repeat = 2 },
          { pool = "mean", size = 2, stride = 2, padding = 0, activation = "leaky_relu(0.2)" },
          { norm = "batch", epsilon = 1e-3, affine = true, tensor = "bn.weight", bias_tensor = "b",
            mean_tensor = "m", variance_tensor = "v" },
          { norm = "layer", axes = 1 },
          { residual = [ { conv1d = 4, kernel = 3, padding = "same" }, { activation = "gelu" } ] },
          { flatten = true },
          { reshape = [4, -1] },
          { flatten = true },
          { dense = 4, weights = "he_normal", biases = "zeros", tensor = "w", bias_tensor = "z" },
          { activation = { name = "crelu", tau = 1.0, m = 2 } },
        ]
        [init]
        weights = { law = "alpha_stable", alpha = 1.5, scale = "fan_in^(-1/alpha)" }
        biases = { law = "constant", value = 0.1 }
        [inputs]
        law = "sphere"
        radius = 2
        scale = "unit"
        centre = "mean"
        clip = [-3, 3]
    """.replace(",\n            ", ", "),
    "cell": """
        [network]
        input = 3
        layers = [
          { rnn = 8, activation = "relu", name = "memory", weights = "he_normal", biases = false,
            recurrent_weights = "orthogonal", repeat = 1 },
          { dense = 2 },
        ]
        [init]
        recurrent_weights = { law = "orthogonal", gain = 0.9 }
    """.replace(",\n            ", ", "),
    "graph": """
        [network]
        input = 4
        [[network.nodes]]
        name = "a"
        op = "dense"
        units = 4
        activation = "tanh"
        [[network.nodes]]
        name = "b"
        op = "add"
        inputs = ["a", "input"]
    """,
}

BASE = "[network]\ninput = 8\nlayers = [ {} ]\n"
WRONG = {
    "no network": "[init]\nweights = 'he_normal'",
    "no input": "[network]\nlayers = [ { dense = 3 } ]",
    "no layers": "[network]\ninput = 3",
    "unknown section": BASE.format("{ dense = 3 }") + "[int]",
    "unknown layer": BASE.format("{ dens = 3 }"),
    "kernel on dense": BASE.format("{ dense = 3, kernel = 2 }"),
    "no kernel": BASE.format("{ conv1d = 3 }"),
    "no units": BASE.format("{ dense = 0 }"),
    "text for a size": BASE.format("{ dense = '3' }"),
    "recurrent behind dense": BASE.format("{ dense = 3 }, { gru = 3 }"),
    "two cells": BASE.format("{ gru = 3 }, { gru = 3 }"),
    "repeated cell": BASE.format("{ lstm = 3, repeat = 2 }"),
    "cell in a residual": BASE.format("{ residual = [ { rnn = 8 } ] }"),
    "activation of a gru": BASE.format("{ gru = 3, activation = 'relu' }"),
    "flatten behind a cell": BASE.format("{ gru = 3 }, { flatten = true }"),
    "recurrent weights of nothing": BASE.format("{ dense = 3 }")
    + "[init]\nrecurrent_weights = 'he_normal'",
    "later norm": BASE.format("{ norm = 'rms' }"),
    "unknown pool": BASE.format("{ pool = 'min', size = 2 }"),
    "unknown law": BASE.format("{ dense = 3, weights = 'he_norm' }"),
    "law without its parameter": BASE.format("{ dense = 3, weights = { law = 'normal' } }"),
    "unknown parameter": BASE.format("{ dense = 3, weights = { law = 'cauchy', sigma = 1 } }"),
    "bad alpha": BASE.format("{ dense = 3, weights = { law = 'alpha_stable', alpha = 3 } }"),
    "unknown scale": BASE.format("{ dense = 3, weights = { law = 'cauchy', scale = '1/n' } }"),
    "orthogonal biases": BASE.format("{ dense = 3, biases = 'orthogonal' }"),
    "biases true": BASE.format("{ dense = 3, biases = true }"),
    "unknown law of inputs": BASE.format("{ dense = 3 }") + "[inputs]\nlaw = 'gauss'",
    "another law's key": BASE.format("{ dense = 3 }") + "[inputs]\nlow = 0",
    "bad clip": BASE.format("{ dense = 3 }") + "[inputs]\nclip = [1]",
    "empty residual": BASE.format("{ residual = [] }"),
    "both forms": BASE.format("{ dense = 3 }") + "[[network.nodes]]\nname = 'a'\nop = 'flatten'",
    "unknown op": "[network]\ninput = 3\n[[network.nodes]]\nname = 'a'\nop = 'dens'\nunits = 3",
    "node without name": "[network]\ninput = 3\n[[network.nodes]]\nop = 'dense'\nunits = 3",
}


def validator():
    return jsonschema.Draft202012Validator(schema())


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("kind", KINDS)
def test_templates_satisfy_the_schema(kind):
    validator().validate(tomllib.loads(template(kind)))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_samples_satisfy_the_schema(path):
    text = path.read_text("utf-8")
    parse_spec(text)
    validator().validate(tomllib.loads(text))


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_satisfy_the_schema_and_the_reader(name):
    parse_spec(EXAMPLES[name])
    validator().validate(tomllib.loads(EXAMPLES[name]))


@pytest.mark.parametrize("name", WRONG)
def test_what_the_reader_refuses_the_schema_refuses(name):
    with pytest.raises(SpecError):
        parse_spec(WRONG[name])
    assert not validator().is_valid(tomllib.loads(WRONG[name]))


def alternatives(name):
    return schema()["$defs"][name]["oneOf"]


def test_the_schema_has_the_layers_and_keys_of_the_grammar():
    found = {}
    for entry in alternatives("layer"):
        kind = entry["required"][0]
        found[kind] = set(entry["properties"])
    expected = {kind: {kind, *keys, *grammar.EVERY} for kind, keys in grammar.KINDS.items()} | {
        "activation": set(grammar.EVERY)
    }
    assert found == expected


def test_the_schema_has_the_operations_of_the_grammar():
    found = {
        entry["properties"]["op"]["const"]: set(entry["properties"])
        for entry in alternatives("node")
    }
    expected = {}
    for op, (kind, spelled) in grammar.OPERATIONS.items():
        own = set() if spelled == op else {spelled}
        expected[op] = {*grammar.NODE, *own, *grammar.KINDS.get(kind, ())}
    assert found == expected


def test_the_schema_has_the_laws_and_scales_of_the_registry():
    tables = schema()["$defs"]["lawTable"]["oneOf"]
    found = {
        t["properties"]["law"]["const"]: t for t in tables if "const" in t["properties"]["law"]
    }
    assert set(found) == set(FAMILIES)
    for name, family in FAMILIES.items():
        labels = {label for label, _ in family.parameters}
        assert set(found[name]["properties"]) == labels | {"law", "scale"}
        needed = {label for label, default in family.parameters if default is None}
        assert set(found[name]["required"]) == needed | {"law"}
    bare = {n for n, f in FAMILIES.items() if all(d is not None for _, d in f.parameters)}
    assert set(schema()["$defs"]["lawName"]["enum"]) == bare | set(NAMED_LAWS)
    assert {str(scale) for scale in schema()["$defs"]["scale"]["enum"]} == set(SCALES)
    assert set(schema()["properties"]["inputs"]["properties"]["law"]["enum"]) == set(INPUT_LAWS)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_can_be_written_in_a_spec(name):
    kind = ACTIVATIONS[name]
    numbers = [1.0 if default is None else default for _, default in kind.parameters]
    label = f"{name}({', '.join(map(str, numbers))})" if numbers else name
    text = f'[network]\ninput = 8\nlayers = [ {{ activation = "{label}" }} ]\n'
    assert parse_spec(text).skeleton.nodes[-1].function.name == name
    validator().validate(tomllib.loads(text))
