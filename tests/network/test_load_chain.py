"""A chain is inferred where names and shapes determine it, and nowhere else."""

import numpy as np
import pytest

from fpcheck.core.errors import FpcheckError, UnsupportedOperationError, UsageError
from fpcheck.network.load import load
from fpcheck.network.program import forward
from fpcheck.network.skeleton import Activation, BatchNorm, Dense
from fpcheck.network.summary import summarise


def arrays(**shapes):
    rng = np.random.default_rng(5)
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def save(tmp_path, tensors, suffix="npz"):
    path = tmp_path / f"model.{suffix}"
    if suffix == "npz":
        np.savez(path, **tensors)
    else:
        pytest.importorskip("safetensors.numpy").save_file(dict(tensors), path)
    return path


def dense(subject):
    assert subject.network is not None, subject.no_network
    return [node for node in subject.network.skeleton.nodes if isinstance(node, Dense)]


def mlp(x, weights, biases, phi=np.tanh):
    """An MLP with (out, in) weights, its last layer linear."""
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        x = phi(x @ weight.T + bias)
    return x @ weights[-1].T + biases[-1]


SIZES = [(5, 7), (6, 5), (7, 6)]  # (out, in) of three layers, 7 -> 5 -> 6 -> 7


@pytest.mark.parametrize(
    ("weight", "bias", "transposed"),
    [
        ("layers.{}.weight", "layers.{}.bias", False),
        ("{}.weight", "{}.bias", False),
        ("fc{}.weight", "fc{}.bias", False),
        ("fc{}_weight", "fc{}_bias", False),
        ("w{}", "b{}", False),
        ("w{}", "b{}", True),
        ("W{}", "b{}", True),
        ("coefs_{}", "intercepts_{}", True),
        ("params.Dense_{}.kernel", "params.Dense_{}.bias", True),
        ("dense_{}/kernel:0", "dense_{}/bias:0", True),
        ("layer{}.W", "layer{}.b", True),
    ],
)
def test_every_naming_habit_gives_the_same_function(tmp_path, weight, bias, transposed):
    rng = np.random.default_rng(1)
    weights = [rng.normal(size=shape) for shape in SIZES]
    biases = [rng.normal(size=shape[0]) for shape in SIZES]
    tensors = {}
    for i, (w, b) in enumerate(zip(weights, biases, strict=True)):
        tensors[weight.format(i)] = w.T if transposed else w
        tensors[bias.format(i)] = b
    path = tmp_path / "model.npz"
    with path.open("wb") as file:
        np.savez(file, **tensors)
    subject = load(path, activation="tanh")
    assert subject.network is not None, subject.no_network
    x = rng.normal(size=(4, 7))
    # One product more or less in another order: a few ulp of values below 30.
    np.testing.assert_allclose(
        forward(subject.network.program, x), mlp(x, weights, biases), rtol=1e-12, atol=1e-12
    )


def test_without_an_activation_the_layers_are_shown_and_the_flag_is_named(tmp_path):
    path = save(tmp_path, arrays(**{"0.weight": (5, 7), "0.bias": 5, "2.weight": (7, 5)}))
    subject = load(path)
    assert subject.network is None
    assert "activation" in subject.no_network
    assert "--activation" in subject.hint
    summary = summarise(subject)
    assert [(layer.name, layer.activation) for layer in summary.layers] == [
        ("0", None),
        ("2", "identity"),
    ]
    assert (summary.input_shape, summary.output_shape, summary.self_map) == ((7,), (7,), True)
    assert summary.parameters == 5 * 7 + 5 + 7 * 5
    assert [q.question for q in summary.questions if q.possible] == ["weights"]


def test_activations_hold_for_hidden_layers_and_the_last_one_is_linear(tmp_path):
    path = save(tmp_path, arrays(**{"0.weight": (5, 7), "2.weight": (6, 5), "4.weight": (7, 6)}))
    names = [layer.activation for layer in summarise(load(path, activation="relu")).layers]
    assert names == ["relu", "relu", "identity"]
    both = load(path, activation="relu", output_activation="crelu(1.04, 1.17)")
    names = [layer.activation for layer in summarise(both).layers]
    assert names == ["relu", "relu", "crelu(1.04, 1.17)"]


def test_one_layer_is_linear_and_a_note_says_so(tmp_path):
    path = save(tmp_path, arrays(weight=(4, 4), bias=4))
    subject = load(path)
    assert len(dense(subject)) == 1
    assert any("linear" in note for note in subject.notes)
    assert not any("linear" in note for note in load(path, output_activation="tanh").notes)


def test_layer_ten_stands_behind_layer_two(tmp_path):
    sizes = [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 3]
    shapes = {f"net.{2 * i}.weight": (sizes[i + 1], sizes[i]) for i in range(11)}
    for suffix in ("npz", "safetensors"):
        subject = load(save(tmp_path, arrays(**shapes), suffix), activation="tanh")
        assert [node.weight for node in dense(subject)] == list(shapes)


def test_numbers_order_an_unordered_file_even_where_all_shapes_agree(tmp_path):
    shapes = {f"net.{i}.weight": (4, 4) for i in range(12)}
    subject = load(save(tmp_path, arrays(**shapes), "safetensors"), activation="tanh")
    assert [node.weight for node in dense(subject)] == list(shapes)


def test_an_order_that_neither_names_nor_shapes_give_is_not_guessed(tmp_path):
    shapes = {"encoder.weight": (3, 5), "decoder.weight": (5, 3)}
    unordered = load(save(tmp_path, arrays(**shapes), "safetensors"), activation="tanh")
    assert unordered.network is None
    assert "does not keep the layers' order" in unordered.no_network
    assert "--spec" in unordered.hint
    in_order = load(save(tmp_path, arrays(**shapes)), activation="tanh")
    assert [node.name for node in dense(in_order)] == ["encoder", "decoder"]


def test_shapes_alone_order_an_unordered_file_where_one_order_fits(tmp_path):
    shapes = {"a.weight": (2, 7), "b1.weight": (7, 4), "b2.weight": (7, 7), "c.weight": (4, 9)}
    subject = load(save(tmp_path, arrays(**shapes), "safetensors"), activation="tanh")
    assert [node.name for node in dense(subject)] == ["c", "b1", "b2", "a"]


def test_a_file_whose_order_and_numbers_disagree_is_not_guessed(tmp_path):
    shapes = {"fc2.weight": (4, 4), "fc1.weight": (4, 4)}
    subject = load(save(tmp_path, arrays(**shapes)), activation="tanh")
    assert subject.network is None
    assert "disagree" in subject.no_network


def test_numbers_decide_where_the_files_order_does_not_chain(tmp_path):
    shapes = {"fc2.weight": (2, 4), "fc1.weight": (4, 3)}
    subject = load(save(tmp_path, arrays(**shapes)), activation="tanh")
    assert [node.name for node in dense(subject)] == ["fc1", "fc2"]
    assert any("numbers" in note for note in subject.notes)


def test_shapes_that_do_not_chain_are_named(tmp_path):
    shapes = {"0.weight": (5, 7), "2.weight": (3, 6)}
    subject = load(save(tmp_path, arrays(**shapes)), activation="tanh")
    assert subject.network is None
    assert subject.no_network == "layer '2' takes 6 inputs, '0' before it gives 5"
    assert set(subject.tensors) == set(shapes)


def test_a_square_matrix_under_an_unknown_name_needs_the_layout(tmp_path):
    path = save(tmp_path, arrays(w0=(4, 4), b0=4))
    subject = load(path)
    assert subject.network is None
    assert "square" in subject.no_network
    assert "--layout" in subject.hint
    for layout in ("out_in", "in_out"):
        assert dense(load(path, layout=layout))[0].layout == layout


@pytest.mark.parametrize(
    ("name", "layout"), [("0.weight", "out_in"), ("kernel", "in_out"), ("W", "in_out")]
)
def test_a_square_matrix_lies_as_its_name_says(tmp_path, name, layout):
    assert dense(load(save(tmp_path, arrays(**{name: (4, 4)}))))[0].layout == layout


def test_two_readings_of_the_shapes_are_not_guessed_between(tmp_path):
    path = save(tmp_path, arrays(w0=(6, 3), w1=(3, 6)))
    subject = load(path, activation="tanh")
    assert subject.network is None
    assert "(out, in) and as (in, out)" in subject.no_network
    assert load(path, activation="tanh", layout="in_out").network is not None


def test_matrices_that_chain_only_transposed_name_the_flag(tmp_path):
    path = save(tmp_path, arrays(W0=(5, 7), W1=(5, 5), W2=(6, 5)))
    subject = load(path, activation="tanh")
    assert subject.network is None
    assert "--layout" in subject.hint
    assert [node.units for node in dense(load(path, activation="tanh", layout="out_in"))] == [
        5,
        5,
        6,
    ]


def test_a_bias_that_contradicts_a_frameworks_name_is_said(tmp_path):
    subject = load(save(tmp_path, arrays(**{"0.weight": (5, 7), "0.bias": 7})))
    assert subject.network is None
    assert "'0.weight' is (5, 7), its bias has 7 entries" in subject.no_network
    assert "--layout" in subject.hint


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"conv.weight": (4, 1, 3), "conv.bias": 4}, "convolution"),
        ({"norm.weight": 7, "norm.bias": 7}, "one axis: a norm"),
        ({"pos_embed": (1, 7)}, "belongs to no layer"),
        ({"rnn.weight_ih_l0": (4, 4)}, "belongs to no layer"),
        ({"loose.bias": 3}, "no weight beside it"),
        ({"bn.running_mean": 7, "bn.weight": 7}, "half of a batch norm"),
        ({"void.weight": (0, 7)}, "no entries"),
        ({"deep.weight": (2, 2, 2, 2, 2)}, "5 axes"),
    ],
)
def test_what_shapes_do_not_determine_is_said_and_weights_stay(tmp_path, extra, words):
    tensors = arrays(**{"0.weight": (7, 7), **extra})
    subject = load(save(tmp_path, tensors), activation="tanh")
    assert subject.network is None
    assert words in subject.no_network
    assert "--spec" in subject.hint
    assert set(subject.tensors) == set(tensors)
    assert summarise(subject).self_map is None


def test_counters_and_scalars_are_unused_tensors(tmp_path):
    tensors = arrays(**{"0.weight": (3, 3)}) | {"steps": np.array(7), "ids": np.arange(4)}
    subject = load(save(tmp_path, tensors))
    assert set(subject.unused) == {"steps", "ids"}
    assert [t.name for t in summarise(subject).tensors if not t.used] == ["steps", "ids"]


def norm(name, size):
    return {
        f"{name}.weight": size, f"{name}.bias": size,
        f"{name}.running_mean": size, f"{name}.running_var": size,
    }  # fmt: skip


def kinds(subject):
    assert subject.network is not None, subject.no_network
    return [
        (type(node).__name__, node.name)
        for node in subject.network.skeleton.nodes
        if isinstance(node, Dense | BatchNorm | Activation)
    ]


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
def test_batch_norm_in_a_numbered_sequence_is_placed_by_its_number(tmp_path, suffix):
    shapes = {"0.weight": (5, 7), **norm("1", 5), "3.weight": (6, 5), **norm("5", 6)}
    subject = load(
        save(tmp_path, arrays(**shapes, **{"6.weight": (7, 6)}), suffix), activation="relu"
    )
    assert kinds(subject) == [
        ("Dense", "0"), ("BatchNorm", "1"), ("Activation", "0.activation"),
        ("Dense", "3"), ("Activation", "3.activation"), ("BatchNorm", "5"),
        ("Dense", "6"),
    ]  # fmt: skip
    assert any("epsilon" in note for note in subject.notes)


def test_batch_norm_with_room_on_both_sides_is_not_guessed(tmp_path):
    shapes = {"0.weight": (5, 7), **norm("2", 5), "4.weight": (7, 5)}
    subject = load(save(tmp_path, arrays(**shapes)), activation="relu")
    assert subject.network is None
    assert "before or behind '2'" in subject.no_network


def test_batch_norm_of_attributes_is_placed_by_number_and_the_order_is_assumed(tmp_path):
    shapes = {"fc1.weight": (5, 7), "fc2.weight": (5, 5), "fc3.weight": (7, 5)}
    shapes |= {**norm("bn1", 5), **norm("bn2", 5)}
    subject = load(save(tmp_path, arrays(**shapes)), activation="relu")
    assert [name for _, name in kinds(subject)] == [
        "fc1", "bn1", "fc1.activation", "fc2", "bn2", "fc2.activation", "fc3",
    ]  # fmt: skip
    assert any("dense, norm, activation is assumed" in note for note in subject.notes)


def test_batch_norm_without_a_place_is_said(tmp_path):
    shapes = {"a.weight": (5, 5), "b.weight": (5, 5), **norm("norm", 5)}
    subject = load(save(tmp_path, arrays(**shapes), "safetensors"), activation="relu")
    assert subject.network is None


def test_batch_norm_chains_compute_what_pytorch_computes(tmp_path):
    torch = pytest.importorskip("torch")
    nn = torch.nn
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.BatchNorm1d(6), nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(),
        nn.Linear(5, 4), nn.ReLU(), nn.BatchNorm1d(4), nn.Linear(4, 6), nn.BatchNorm1d(6),
    ).double()  # fmt: skip
    for _ in range(3):
        model(torch.randn(50, 6, dtype=torch.float64) * 2 + 1)
    model.eval()
    torch.save(model.state_dict(), tmp_path / "model.pt")
    subject = load(tmp_path / "model.pt", activation="relu")
    assert subject.network is not None, subject.no_network
    x = torch.randn(9, 6, dtype=torch.float64)
    np.testing.assert_allclose(
        forward(subject.network.program, x.numpy()),
        model(x).detach().numpy(),
        rtol=1e-12,
        atol=1e-13,
    )
    assert summarise(subject).parameters == sum(p.numel() for p in model.parameters())


def test_flags_that_cannot_hold_are_refused(tmp_path):
    path = save(tmp_path, arrays(weight=(4, 4)))
    with pytest.raises(UnsupportedOperationError, match="unknown activation 'tahn'"):
        load(path, activation="tahn")
    with pytest.raises(UsageError, match="--activation"):
        load(path, spec="net.toml", activation="tanh")
    with pytest.raises(FpcheckError):
        load(path, spec=tmp_path / "missing.toml")


def test_self_map_follows_shapes_and_the_flag(tmp_path):
    square = load(save(tmp_path, arrays(weight=(4, 4))))
    assert summarise(square).self_map is True
    assert summarise(square, self_map=False).self_map is False
    other = load(save(tmp_path, arrays(weight=(3, 4))))
    assert summarise(other, self_map=True).self_map is False
    reasons = {q.question: q.reason for q in summarise(other).questions}
    assert "[4] and [3]" in reasons["attractors"]


def test_the_activation_of_hidden_layers_is_refused_where_there_are_none(tmp_path):
    path = save(tmp_path, arrays(weight=(4, 4), bias=(4,)))
    with pytest.raises(UsageError, match=r"model\.npz has one layer, which is the last") as raised:
        load(path, activation="tanh")
    assert raised.value.hint == "--output-activation tanh sets it"
    with pytest.raises(UsageError) as raised:
        load(path, activation="crelu(1.04, 1.17)")
    assert raised.value.hint == "--output-activation 'crelu(1.04, 1.17)' sets it"
    both = load(path, activation="tanh", output_activation="relu")
    (phi,) = [node.function for node in both.network.skeleton.nodes if isinstance(node, Activation)]
    assert phi.name == "relu"
    assert "--activation has no effect on one layer, which is the last" in both.notes
