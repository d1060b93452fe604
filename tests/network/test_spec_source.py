"""The line of every key and entry of a TOML text."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpcheck.core.errors import SpecError
from fpcheck.network.spec.source import Source, parse_toml

TEXT = '''# a comment with [brackets] and "quotes"
[network]
input = 64  # ] } "
layers = [
  { dense = 48, activation = "ta]nh" },
  # { dense = 1 },
  { pool = 'ma"x', size = [
      2,
      3 ], name = "a\\"b" },
]
note = """one
two " ""
three"""
"quoted key" = 1
a.b."c.d" = 2
[[net.nodes]]
name = "x"
[[net.nodes]]
name = "y"
[net.nodes.inner]
z = 2024-01-01 10:00:00
[init]
w = { law = 'normal', sigma2 = [ 1 ] }
'''

LINES = {
    ("network",): 2,
    ("network", "input"): 3,
    ("network", "layers"): 4,
    ("network", "layers", 0, "activation"): 5,
    ("network", "layers", 1): 7,
    ("network", "layers", 1, "size", 0): 8,
    ("network", "layers", 1, "size", 1): 9,
    ("network", "layers", 1, "name"): 9,
    ("network", "note"): 11,
    ("network", "quoted key"): 14,
    ("network", "a", "b", "c.d"): 15,
    ("net", "nodes", 0): 16,
    ("net", "nodes", 0, "name"): 17,
    ("net", "nodes", 1, "name"): 19,
    ("net", "nodes", 1, "inner", "z"): 21,
    ("init", "w", "sigma2"): 23,
}


def test_every_value_is_found_in_its_line():
    _, source = parse_toml(TEXT, "a.toml")
    assert {path: source.lines[path] for path in LINES} == LINES


def paths(value, prefix=()):
    """Every path of a document, entries of arrays included."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        yield (*prefix, key)
        if isinstance(inner, dict | list):
            yield from paths(inner, (*prefix, key))


def test_the_scanner_finds_the_paths_that_tomllib_finds():
    document, source = parse_toml(TEXT, "a.toml")
    assert document == tomllib.loads(TEXT)
    assert set(source.lines) == set(paths(document))


KEYS = st.sampled_from(["a", "b-1", "c_d", '"x y"', "'l.m'"])
SCALARS = st.sampled_from(
    [
        "1",
        "-2.5e3",
        "true",
        '"a # ] }"',
        "'q\"'",
        "1979-05-27",
        '"\\"\\\\"',
        '"""m\n"x" n"""',
        "nan",
    ]
)
SPACE = st.sampled_from(["", " ", "\n", " # note ] } =\n  "])


def tables(values):
    pairs = st.lists(st.tuples(KEYS, values), max_size=3, unique_by=lambda pair: pair[0])
    return pairs.map(lambda kv: "{ " + ", ".join(f"{k} = {v}" for k, v in kv) + " }")


def arrays(values):
    items = st.lists(st.tuples(SPACE, values, SPACE), max_size=3)
    return items.map(lambda xs: "[" + ",".join(a + v + b for a, v, b in xs) + "]")


VALUES = st.recursive(SCALARS, lambda inner: tables(inner) | arrays(inner), max_leaves=8)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.lists(st.tuples(KEYS, VALUES), max_size=4, unique_by=lambda pair: pair[0]))
def test_any_document_is_scanned_to_the_paths_that_it_has(pairs):
    text = "# top\n" + "\n".join(f"{key} = {value}  # end" for key, value in pairs)
    document, source = parse_toml(text, "a.toml")
    assert set(source.lines) == set(paths(document))
    expected = 2
    for key, value in pairs:
        name = tomllib.loads(f"{key} = 0").popitem()[0]
        assert source.line((name,)) == expected
        expected += 1 + value.count("\n")


def test_an_unknown_path_has_the_line_of_the_entry_around_it():
    source = Source("a.toml", {("network",): 2, ("network", "layers", 0): 5})
    assert source.line(("network", "layers", 0, "weights", "law")) == 5
    assert source.line(("network", "input")) == 2
    assert source.line(("init",)) == 1


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[network]\ninput = \n", 2),
        ("[network]\ninput = 64\nlayers = [ { dense = 3 \n", 3),
        ("[network]\ninput = 64\ninput = 65\n", 3),
        ("a = 1\nb = [1,\n", 2),
        ("a = 'x\n\nb = 3\n", 1),
        ('a = 1\nb = """x\n\nc = 3\n', 2),
        ("a = [\n1,\n\n\n", 2),
    ],
)
def test_a_text_that_is_not_toml_is_refused_with_its_line(text, line):
    with pytest.raises(SpecError) as caught:
        parse_toml(text, "net.toml")
    assert caught.value.where == f"net.toml, line {line}"
    assert "not valid TOML" in caught.value.message


def test_absurd_nesting_is_refused_not_a_crash():
    with pytest.raises(SpecError, match="nested too deeply"):
        parse_toml("x = " + "[" * 100_000, "net.toml")
