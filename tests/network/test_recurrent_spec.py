"""A recurrent spec is one cell: drawn from its laws, or bound to the cell of a file."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fpcheck.core.errors import ModelFileError, SpecError
from fpcheck.network.load import load
from fpcheck.network.program import dense_chain, forward
from fpcheck.network.recurrent import GATES
from fpcheck.network.spec import parse_spec

TEXT = "[network]\ninput = 3\nlayers = [\n  {layers},\n]\n"


def written(tmp_path, layers, rest=""):
    path = tmp_path / "net.toml"
    path.write_text(TEXT.format(layers=layers) + rest)
    return path


@pytest.mark.parametrize("kind", GATES)
def test_a_spec_draws_a_cell_of_its_kind_and_sizes(kind, tmp_path):
    subject = load(written(tmp_path, f"{{ {kind} = 8, name = 'memory' }}"))
    (cell,) = subject.cells
    assert (cell.name, cell.kind, cell.hidden, cell.input_size) == ("memory", kind, 8, 3)
    assert subject.network is None
    rows = 8 * GATES[kind]
    assert {name: tensor.shape for name, tensor in subject.tensors.items()} == {
        "memory.weight_ih": (rows, 3),
        "memory.weight_hh": (rows, 8),
        "memory.bias_ih": (rows,),
    }
    # PyTorch's default of recurrent layers: all tensors within 1 / sqrt(hidden).
    assert all(np.abs(tensor).max() <= 8**-0.5 for tensor in subject.tensors.values())


def test_the_default_law_is_told_as_it_is_drawn():
    (note,) = parse_spec(TEXT.format(layers="{ gru = 8 }")).notes
    assert "PyTorch's default, U(-1, 1) / sqrt(8)" in note


def test_every_tensor_has_its_own_law(tmp_path):
    laws = "[init]\nweights = { law = 'constant', value = 2.0 }\nrecurrent_weights = 'orthogonal'\n"
    subject = load(written(tmp_path, "{ lstm = 6 }", laws))
    assert np.all(subject.tensors["cell.weight_ih"] == 2.0)
    assert np.all(subject.tensors["cell.bias_ih"] == 0.0)
    for gate in np.split(subject.tensors["cell.weight_hh"], 4):
        assert np.abs(gate @ gate.T - np.eye(6)).max() < 1e-12
    without = load(written(tmp_path, "{ rnn = 6, biases = false }", laws))
    assert set(without.tensors) == {"cell.weight_ih", "cell.weight_hh"}


def test_recurrent_weights_follow_the_weights_law_at_their_own_fan_in(tmp_path):
    laws = "[init]\nweights = { law = 'normal', sigma2 = 1.0, scale = '1/sqrt(fan_in)' }\n"
    subject = load(written(tmp_path, "{ rnn = 400 }", laws))
    # The standard error of a standard deviation of 160000 entries is 0.2 %.
    assert subject.tensors["cell.weight_hh"].std() == pytest.approx(400**-0.5, rel=0.01)


def test_an_rnn_takes_the_activation_that_it_names(tmp_path):
    (plain,) = load(written(tmp_path, "{ rnn = 4 }")).cells
    (bent,) = load(written(tmp_path, "{ rnn = 4, activation = 'relu' }")).cells
    assert dense_chain(plain.network.program) is not None
    assert forward(plain.network.program, np.full((1, 4), -3.0)).min() < 0.0
    assert forward(bent.network.program, np.full((1, 4), -3.0)).min() >= 0.0


def test_a_readout_behind_the_cell_is_named_and_not_in_the_map(tmp_path):
    subject = load(written(tmp_path, "{ gru = 4 },\n  { dense = 2, name = 'head' }"))
    assert any(note.startswith("head read the state out") for note in subject.notes)
    assert subject.cells[0].network.skeleton.output_shape == (4,)
    assert not any("head" in name for name in subject.tensors)


def test_a_spec_chooses_the_cell_of_a_file_and_gives_it_its_starts(tmp_path):
    torch.save(torch.nn.RNN(3, 4, num_layers=2).state_dict(), tmp_path / "m.pt")
    rest = "[inputs]\nlaw = 'uniform'\nlow = -1.0\nhigh = 1.0\n"
    subject = load(tmp_path / "m.pt", spec=written(tmp_path, "{ rnn = 4 }", rest))
    assert [cell.name for cell in subject.cells] == ["l0"]
    assert subject.input_law is not None
    assert subject.input_law.law == "uniform"
    with pytest.raises(ModelFileError, match="no cell for the spec's gru = 4") as caught:
        load(tmp_path / "m.pt", spec=written(tmp_path, "{ gru = 4 }"))
    assert "l0: rnn of 4 units on 3 inputs" in caught.value.hint


def test_two_cells_of_one_size_are_told_apart_by_name(tmp_path):
    module = torch.nn.GRU(3, 4, bidirectional=True)
    torch.save(module.state_dict(), tmp_path / "m.pt")
    with pytest.raises(ModelFileError, match="2 cells"):
        load(tmp_path / "m.pt", spec=written(tmp_path, "{ gru = 4 }"))
    spec = written(tmp_path, "{ gru = 4, name = 'l0_reverse' }")
    assert [cell.name for cell in load(tmp_path / "m.pt", spec=spec).cells] == ["l0_reverse"]


@pytest.mark.parametrize(
    ("layers", "words", "line"),
    [
        ("{ rnn = 0 }", "'rnn' of rnn is a whole number of at least 1", 4),
        ("{ gru = 4 },\n  { gru = 4 }", "gru is not the first layer", 5),
        ("{ dense = 4 },\n  { lstm = 4 }", "lstm is not the first layer", 5),
        ("{ gru = 4 },\n  { flatten = true }", "flatten stands behind a recurrent layer", 5),
        ("{ lstm = 4, repeat = 3 }", "lstm is one cell, so it is not repeated", 4),
        ("{ lstm = 4, activation = 'relu' }", "the functions of lstm are fixed", 4),
        ("{ gru = 4, kernel = 3 }", "gru takes no 'kernel'", 4),
        ("{ gru = 4, recurrent_weight = 'zeros' }", "unknown key 'recurrent_weight'", 4),
        ("{ gru = 4, recurrent_weights = 'zero' }", "unknown law 'zero'", 4),
    ],
)
def test_an_error_of_a_recurrent_spec_names_its_line(layers, words, line):
    with pytest.raises(SpecError) as caught:
        parse_spec(TEXT.format(layers=layers), "net.toml")
    assert words in caught.value.message
    assert caught.value.where == f"net.toml, line {line}"


def test_recurrent_layers_need_features_and_a_list():
    with pytest.raises(SpecError, match="takes rows of features") as caught:
        parse_spec("[network]\ninput = [2, 3]\nlayers = [ { gru = 4 } ]", "net.toml")
    assert caught.value.where == "net.toml, line 2"
    graph = "[network]\ninput = 3\n[[network.nodes]]\nname = 'a'\nop = 'gru'\nunits = 4"
    with pytest.raises(SpecError, match="a node cannot be a recurrent layer"):
        parse_spec(graph)
    with pytest.raises(SpecError, match="'recurrent_weights' is of recurrent layers"):
        parse_spec(TEXT.format(layers="{ dense = 4 }") + "[init]\nrecurrent_weights = 'zeros'")
