"""Every error of a spec names the key, its line, and the nearest valid key."""

from __future__ import annotations

import random
import re

import pytest

from fpcheck.core.errors import SpecError
from fpcheck.network.spec import KINDS, parse_spec, read_spec, template


def refused(text: str) -> SpecError:
    with pytest.raises(SpecError) as caught:
        parse_spec(text, "net.toml")
    return caught.value


LAYER = [
    # entry, what the error says, what its hint says
    ("{ dens = 4 }", "unknown key 'dens'", "did you mean 'dense'?"),
    ("{ dense = 4, activaton = 'tanh' }", "unknown key 'activaton'", "'activation'?"),
    ("{ dense = 4, kernel = 3 }", "dense takes no 'kernel'", "belongs to conv1d, conv2d"),
    ("{ flatten = true, weights = 'zeros' }", "flatten takes no 'weights'", "dense"),
    ("{ dense = 4, activation = 'tahn' }", "unknown activation 'tahn'", "did you mean 'tanh'?"),
    ("{ activation = 'crelu(1.04)' }", "needs 'm'", "tau, m"),
    ("{ activation = { name = 'crelu', tau = 'x' } }", "'tau' is a number, got 'x'", ""),
    ("{ activation = { name = 'crelu', ta = 1, m = 1 } }", "needs 'tau'", ""),
    ("{ activation = 3 }", "a name or a table", "tanh"),
    ("{ dense = '4' }", "whole number of at least 1, got '4'", ""),
    ("{ dense = 4.0 }", "whole number of at least 1, got 4.0", ""),
    ("{ dense = true }", "whole number of at least 1, got True", ""),
    ("{ dense = 10000000000 }", "whole number", ""),
    ("{ dense = 4, repeat = 0 }", "'repeat' of dense", ""),
    ("{ dense = 4, repeat = 1000000000 }", "more than 100000 nodes", ""),
    ("{ dense = 4, name = 3 }", "'name' of dense is a text", ""),
    ("{ dense = 4, name = 'dense1' }", "'dense1' is taken by the layer in line 4", ""),
    ("{ dense = 4, conv1d = 3 }", "two layers, 'dense' and 'conv1d'", "one table"),
    ("{ repeat = 4 }", "the entry names no layer", "dense"),
    ("3", "a layer is a table, got 3", "{ dense = 48 }"),
    ("{ lstm = 4 }", "lstm is not the first layer", "layers = [ { lstm = 64 }"),
    ("{ residual = [ { rnn = 4 } ] }", "rnn is not the first layer", "layers = [ { rnn = 64 }"),
    ("{ dense = 4, recurrent_weights = 'zeros' }", "dense takes no 'recurrent_weights'", "belongs"),
    ("{ norm = 'rms' }", "'rms' is not supported in this version", "supported: batch, layer"),
    ("{ norm = 'group' }", "'group' is not supported in this version", "batch, layer"),
    ("{ norm = 'bacth' }", "unknown norm 'bacth'", "did you mean 'batch'?"),
    ("{ norm = 'batch', axes = 1 }", "a batch norm has no 'axes'", "layer"),
    ("{ norm = 'layer', mean_tensor = 'm' }", "a layer norm has no 'mean_tensor'", "batch"),
    ("{ norm = 'layer', axes = 2 }", "normalises 2 axes of shape [8]", ""),
    ("{ norm = 'layer', epsilon = 0 }", "'epsilon' of norm is a positive number", ""),
    ("{ conv1d = 4 }", "conv1d needs 'kernel'", "kernel = 3"),
    ("{ conv1d = 4, kernel = 3 }", "got [8]", "{ reshape = [1, 8] }"),
    ("{ pool = 'max', size = 2 }", "got [8]", "{ reshape = [1, 8] }"),
    ("{ pool = 'mx', size = 2 }, ", "unknown pool 'mx'", "did you mean 'max'?"),
    ("{ reshape = [3, 3] }", "cannot reshape [8] to [3, 3]", ""),
    ("{ reshape = [0] }", "'reshape' of reshape is a list of sizes", ""),
    ("{ flatten = false }", "'flatten' of flatten is true", ""),
    ("{ residual = [ { dense = 4 } ] }", "turn [8] into [4]", "as wide as the first"),
    ("{ residual = [] }", "'residual' is a list of layers", ""),
    ("{ dense = 4, weights = { law = 'normal', sigma = 1 } }", "no key 'sigma'", "'sigma2'?"),
    ("{ dense = 4, weights = 'he_norma' }", "unknown law 'he_norma'", "'he_normal'?"),
    ("{ dense = 4, weights = { lwa = 'normal' } }", "needs the key 'law'", "'lwa'"),
    ("{ dense = 4, weights = { law = 'cauchy', scale = '1/fanin' } }", "scale", "'1/fan_in'?"),
    ("{ dense = 4, weights = 3 }", "'weights' is a law's name or table", "he_normal"),
    ("{ dense = 4, biases = 0 }", "false for none, got 0", '"zeros"'),
    ("{ dense = 4, biases = 'orthogonal' }", "matrices, not biases", "zeros"),
    ("{ dense = 4, tensor = 'w', repeat = 2 }", "named for several layers", ""),
    ("{ dense = 4, biases = false, bias_tensor = 'b' }", "has no bias", ""),
]


@pytest.mark.parametrize(("entry", "fact", "hint"), LAYER, ids=[case[0] for case in LAYER])
def test_a_layer_that_cannot_be_is_named_with_its_line(entry, fact, hint):
    text = f"[network]\ninput = 8\nlayers = [\n  {{ dense = 8 }},\n  {entry.rstrip(', ')},\n]\n"
    error = refused(text)
    assert error.where == "net.toml, line 5"
    assert fact in error.message
    assert hint in error.hint


WINDOW = [
    ("{ conv1d = 4, kernel = 3 }", "works on [channels, length], got [2, 9, 9]"),
    (
        "{ conv2d = 4, kernel = [3] }",
        "'kernel' of conv2d is a positive whole number or a list of 2",
    ),
    ("{ conv2d = 4, kernel = 11 }", "does not fit into [9, 9]"),
    ("{ conv2d = 4, kernel = 3, groups = 3 }", "3 groups do not divide 2 channels in"),
    ("{ conv2d = 4, kernel = 3, padding = 'smae' }", "unknown padding 'smae'"),
    ("{ conv2d = 4, kernel = 3, padding = [1] }", "'padding' of conv2d"),
    ("{ conv2d = 4, kernel = 3, padding = -1 }", "'padding' of conv2d"),
    ("{ conv2d = 4, kernel = 3, stride = 0 }", "'stride' of conv2d"),
    ("{ pool = 'max', size = 2, padding = 2 }", "at most half its size"),
    ("{ pool = 'max', size = 10 }", "does not fit into [9, 9]"),
]


@pytest.mark.parametrize(("entry", "fact"), WINDOW, ids=[case[0] for case in WINDOW])
def test_a_window_that_does_not_fit_is_named_with_its_line(entry, fact):
    error = refused(f"[network]\ninput = [2, 9, 9]\nlayers = [\n  {entry},\n]\n")
    assert error.where == "net.toml, line 4"
    assert fact in error.message


def test_an_error_inside_an_entry_over_several_lines_names_the_inner_line():
    text = (
        "[network]\ninput = 8\nlayers = [\n"
        "  { residual = [\n"
        "      { dense = 8 },\n"
        "      { dense = 8, weights = 'he_norml' },\n"
        "  ] },\n]\n"
    )
    assert refused(text).where == "net.toml, line 6"


REST = [
    ("[int]\nweights = 'he_normal'", 5, "unknown section [int]", "'init'?"),
    ("[init]\nweight = 'he_normal'", 6, "unknown key 'weight' in [init]", "'weights'?"),
    ("[init]\nweights = { law = 'normal',\n  sigma2 = 1 }", 6, "not valid TOML", "one line"),
    ("[init]\nbiases = { law = 'normal', sigma2 = -1.0 }", 6, "must not be negative", ""),
    ("[inputs]\nlaw = 'nomal'", 6, "unknown law of inputs 'nomal'", "'normal'?"),
    ("[inputs]\nlaw = 3", 6, "unknown law of inputs 3", "normal"),
    ("[inputs]\n\nlow = 3", 7, "law 'normal' of inputs has no 'low'", 'law = "uniform"'),
    ("[inputs]\nlaw = 'sphere'\nradius = -1", 7, "'radius' must be positive", ""),
    ("[inputs]\nlaw = 'uniform'\nlow = 'a'", 7, "'low' is a number, got 'a'", ""),
    ("[inputs]\nstd = 0", 6, "'std' must be positive", ""),
    ("[inputs]\nclip = [1, 0]", 6, "clip", "lower one first"),
    ("[inputs]\nclip = 1", 6, "'clip' is [low, high]", ""),
    ("[inputs]\nscale = 0", 6, "scale", ""),
    ("[inputs]\nscale = 'uint'", 6, "'scale' is a number or \"unit\"", ""),
    ("[inputs]\nsacle = 1", 6, "unknown key 'sacle' in [inputs]", "'scale'?"),
]


@pytest.mark.parametrize(("rest", "line", "fact", "hint"), REST, ids=[case[0] for case in REST])
def test_a_section_that_cannot_be_is_named_with_its_line(rest, line, fact, hint):
    error = refused(f"[network]\ninput = 8\nlayers = [ {{ dense = 8 }} ]\n\n{rest}\n")
    assert error.where == f"net.toml, line {line}"
    assert fact in error.message
    assert hint in error.hint


@pytest.mark.parametrize(
    ("text", "line", "fact"),
    [
        ("", 1, "no [network]"),
        ("\nnetwork = 3", 2, "'network' is a table"),
        ("[network]\nlayers = [ { dense = 3 } ]", 1, "no 'input'"),
        ("[network]\ninput = 3", 1, "no 'layers'"),
        ("[network]\ninput = 0\nlayers = [ { dense = 3 } ]", 2, "'input' is a size"),
        ("[network]\ninput = [3, 'x']\nlayers = [ { dense = 3 } ]", 2, "'input' is a size"),
        ("[network]\ninput = 3\nlayers = []", 3, "'layers' is a list of layers"),
        ("[network]\ninput = 3\nlayers = 4", 3, "'layers' is a list of layers"),
        ("[network]\ninput = 3\nlayer = [ { dense = 3 } ]", 3, "unknown key 'layer'"),
        ("[network]\ninput = 3\nname = 4\nlayers = [ { dense = 3 } ]", 3, "'name' is a text"),
    ],
)
def test_a_network_section_that_cannot_be_is_named_with_its_line(text, line, fact):
    error = refused(text)
    assert error.where == f"net.toml, line {line}"
    assert fact in error.message


NODE_A = '[network]\ninput = 8\n[[network.nodes]]\nname = "a"\nop = "dense"\nunits = 8\n'
GRAPH = [
    (NODE_A + "dense = 8", 7, "unknown key 'dense' of dense", "units"),
    (NODE_A.replace("units = 8\n", ""), 3, "dense needs 'units'", ""),
    (NODE_A.replace("units", "unit"), 6, "unknown key 'unit'", "'units'?"),
    (NODE_A.replace('"dense"', '"dens"'), 5, "unknown op 'dens'", "'dense'?"),
    (NODE_A.replace('"dense"', '"concat"'), 5, "'concat' is not supported", "supported: dense"),
    (NODE_A.replace('name = "a"\n', ""), 3, "a node needs 'name'", ""),
    (NODE_A + '[[network.nodes]]\nname = "a"\nop = "flatten"', 8, "the name 'a' is taken", ""),
    (NODE_A + 'inputs = "inptu"', 7, "takes its input from 'inptu'", "did you mean 'input'?"),
    (NODE_A + "inputs = 3", 7, "'inputs' of dense is a list of names", ""),
    (NODE_A + 'inputs = ["input", "input"]', 7, "dense takes one input, got 2", "add"),
    (NODE_A + '[[network.nodes]]\nname = "b"\nop = "reshape"', 7, "reshape needs 'shape'", "shape"),
    (NODE_A + '[[network.nodes]]\nname = "b"\nop = "activation"', 7, "needs 'activation'", "tanh"),
    (NODE_A + "repeat = 3", 7, "unknown key 'repeat'", ""),
    (
        NODE_A + '[[network.nodes]]\nname = "b"\nop = "dense"\nunits = 2\ninputs = "input"',
        4,
        "nothing uses node 'a'",
        "the last node is the network's output",
    ),
    (
        NODE_A.replace("8\n[", "3\n[") + '[[network.nodes]]\nname = "s"\nop = "add"\n'
        'inputs = ["a", "input"]',
        7,
        "cannot add shapes [8] and [3]",
        "",
    ),
]


@pytest.mark.parametrize(("text", "line", "fact", "hint"), GRAPH, ids=[case[2] for case in GRAPH])
def test_a_graph_that_cannot_be_is_named_with_its_line(text, line, fact, hint):
    error = refused(text)
    assert fact in error.message
    assert hint in error.hint
    assert error.where == f"net.toml, line {line}"


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path):
    with pytest.raises(SpecError, match="cannot read"):
        read_spec(tmp_path / "none.toml")
    with pytest.raises(SpecError, match="cannot read"):
        read_spec(tmp_path)
    path = tmp_path / "net.toml"
    path.write_bytes(b"[network]\n\xff\xfe")
    with pytest.raises(SpecError, match="not UTF-8") as caught:
        read_spec(path)
    assert caught.value.where == "net.toml, line 2"
    path.write_bytes(b"# long\n" * 2**20)
    with pytest.raises(SpecError, match="too many for a spec"):
        read_spec(path)


# A digit, a word, a value and a sign are put in place of what stands in a spec that reads.
WORDS = ["dense", "law", "repeat", "activation", "kernel", "inputs", "op", "reshape", "weights"]
VALUES = ["-1", "0", "nan", "1e400", "''", "[]", "{}", "[[]]", "true", "1979-01-01", "{ a = 1 }"]
SIGNS = ["", "[", "]", "{", "}", ",", '"', "'", "\n", "=", "#", "\\"]


def damaged(text: str, generator: random.Random) -> str:
    kind = generator.choice(["value", "word", "sign"])
    if kind == "sign":
        place = generator.randrange(len(text))
        return text[:place] + generator.choice(SIGNS) + text[place + 1 :]
    pattern = r"= *(\"[^\"]*\"|[-\d.]+|true|false)" if kind == "value" else r"\b[a-z_0-9]+\b(?= *=)"
    found = generator.choice(list(re.finditer(pattern, text)))
    new = f"= {generator.choice(VALUES)}" if kind == "value" else generator.choice(WORDS)
    return text[: found.start()] + new + text[found.end() :]


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_spec_reads_or_is_refused_with_a_line_and_never_crashes(kind):
    generator = random.Random(kind)
    places = []
    for _ in range(300):
        try:
            parse_spec(damaged(template(kind), generator), "net.toml")
        except SpecError as error:
            places.append(error.where)
    assert len(places) > 100
    assert all(place.startswith("net.toml, line ") for place in places)
