"""Stacks of cells: one network, the same cells and constant inputs through every format."""

import os

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
torch = pytest.importorskip("torch")

from fpcheck.network.constant_input import ConstantInput  # noqa: E402
from fpcheck.network.load import load  # noqa: E402
from fpcheck.network.program import forward  # noqa: E402

# Keras turns PyTorch's tensors into arrays in a way that NumPy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
# Both sides in double precision, from the same tensors; the settled input is at rest to rounding.
EXACT = 1e-11
SINGLE = 1e-5  # Keras computes in float32
U = np.array([0.5, -1.0, 2.0])


def steps(cell, seed=0):
    state = np.random.default_rng(seed).normal(size=(4, cell.network.program.input_size))
    return forward(cell.network.program, state)


def stacked(kind="GRU", **options):
    torch.manual_seed(3)
    options = {"num_layers": 2, "bidirectional": True, **options}
    return getattr(torch.nn, kind)(3, 4, dtype=torch.float64, **options)


def gru_nodes(module):
    """The ONNX operators of a stack of two bidirectional GRUs, as exporters write them."""
    onnx = pytest.importorskip("onnx")
    weights, nodes, name = {}, [], "x"
    tensors = {key: value.detach().numpy() for key, value in module.state_dict().items()}

    def gates(suffix, word):  # r z n -> z r n, both directions
        blocks = []
        for back in ("", "_reverse"):
            parts = np.split(tensors[f"{word}_l{suffix}{back}"], 3)
            blocks.append(np.concatenate([parts[1], parts[0], parts[2]]))
        return np.stack(blocks)

    for layer in (0, 1):
        weights |= {
            f"w{layer}": gates(layer, "weight_ih"), f"r{layer}": gates(layer, "weight_hh"),
            f"b{layer}": np.concatenate([gates(layer, "bias_ih"), gates(layer, "bias_hh")], 1),
            "shape": np.array([0, 0, -1]),
        }  # fmt: skip
        nodes += [
            onnx.helper.make_node(
                "GRU", [name, f"w{layer}", f"r{layer}", f"b{layer}"], [f"y{layer}"], f"gru{layer}",
                hidden_size=4, direction="bidirectional", linear_before_reset=1,
            ),
            onnx.helper.make_node("Transpose", [f"y{layer}"], [f"t{layer}"], perm=[0, 2, 1, 3]),
            onnx.helper.make_node("Reshape", [f"t{layer}", "shape"], [f"s{layer}"]),
        ]  # fmt: skip
        name = f"s{layer}"
    return nodes, weights


def saved_onnx(module, path, between=None):
    """The file of the stack; `between`: an operator behind the first layer."""
    onnx = pytest.importorskip("onnx")
    nodes, weights = gru_nodes(module)
    if between is not None:
        nodes.insert(3, onnx.helper.make_node(between, ["s0"], ["between"]))
        nodes[4].input[0] = "between"
    double = onnx.TensorProto.DOUBLE
    graph = onnx.helper.make_graph(
        nodes,
        "stack",
        [onnx.helper.make_tensor_value_info("x", double, [7, 1, 3])],
        [onnx.helper.make_tensor_value_info("s1", double, None)],
        [onnx.numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    opsets = [onnx.helper.make_opsetid("", 18)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    return path


def test_an_onnx_stack_has_the_cells_of_the_state_dict(tmp_path):
    module = stacked()
    torch.save(module.state_dict(), tmp_path / "m.pt")
    held = ConstantInput("u", U)
    ours = load(tmp_path / "m.pt", input_choice=held).cells
    found = load(saved_onnx(module, tmp_path / "m.onnx"), input_choice=held).cells
    assert [cell.name for cell in found] == ["gru0", "gru0.reverse", "gru1", "gru1.reverse"]
    assert found[2].note == "input held at what gru0 and gru0.reverse settle at from zero"
    for one, other in zip(ours, found, strict=True):
        assert np.abs(steps(one) - steps(other)).max() < EXACT


def test_an_onnx_cell_behind_other_layers_behind_a_cell_is_held_at_zeros(tmp_path):
    cells = load(saved_onnx(stacked(), tmp_path / "m.onnx", between="Tanh")).cells
    assert cells[0].note == "input held at zeros"
    assert cells[2].note.startswith("input held at zeros, as ")


@pytest.mark.parametrize("suffix", ["", ".keras", ".h5"])
def test_cells_inside_of_keras_rnn_layers_step_as_keras_does(suffix, tmp_path):
    keras = pytest.importorskip("keras")
    pytest.importorskip("h5py")
    keras.utils.set_random_seed(2)
    layers = keras.layers
    rnn = layers.RNN(layers.LSTMCell(4, bias_initializer="uniform"), return_sequences=True)
    stack = layers.RNN(
        [layers.GRUCell(4), layers.SimpleRNNCell(5), layers.GRUCell(2)], return_sequences=True
    )
    both = layers.Bidirectional(layers.RNN(layers.LSTMCell(3)))
    start = keras.Input((7, 3))
    model = keras.Model(start, both(layers.Dropout(0.5)(stack(rnn(start)))))
    # Small recurrent weights, so that every layer settles.
    for weight in model.weights:
        if "recurrent" in weight.path:
            weight.assign(0.5 * weight)
    if suffix:
        model.save(tmp_path / f"m{suffix}")
    held = ConstantInput("u", U)
    cells = load(tmp_path / f"m{suffix}" if suffix else model, input_choice=held).cells
    own = [rnn.cell, *stack.cell.cells, both.forward_layer.cell, both.backward_layer.cell]
    assert [cell.kind for cell in cells] == ["lstm", "gru", "rnn", "gru", "lstm", "lstm"]
    name = stack.name
    assert [cell.name for cell in cells[1:4]] == [f"{name}/0", f"{name}/1", f"{name}/2"]
    row = np.tile(U.astype("float32"), (1, 1000, 1))
    below = rnn(row)[0, -1]
    inputs = [U, below.detach().numpy()]
    for cell in stack.cell.cells:  # one after the other, each on what the one before gives
        sequence = layers.RNN(cell)(np.tile(inputs[-1], (1, 1000, 1)))
        inputs.append(sequence[0].detach().numpy())
    inputs += [inputs[-1]]
    rng = np.random.default_rng(1)
    for cell, keras_cell, u in zip(cells, own, inputs, strict=True):
        states = 2 if cell.kind == "lstm" else 1
        rows = rng.normal(size=(3, states * cell.hidden)).astype("float32")
        given = [rows[:, i * cell.hidden : (i + 1) * cell.hidden] for i in range(states)]
        _, after = keras_cell(np.tile(np.float32(u), (3, 1)), given)
        after = after if isinstance(after, list | tuple) else [after]
        expected = np.concatenate([state.detach().numpy() for state in after], axis=1)
        found = forward(cell.network.program, rows.astype(np.float64))
        assert np.abs(found - expected).max() < SINGLE


def test_a_keras_cell_of_the_users_own_is_named_and_not_imported(tmp_path):
    keras = pytest.importorskip("keras")
    pytest.importorskip("h5py")

    @keras.saving.register_keras_serializable("own")
    class OwnCell(keras.layers.SimpleRNNCell):
        pass

    start = keras.Input((7, 3))
    keras.Model(start, keras.layers.RNN(OwnCell(4), name="memory")(start)).save(
        tmp_path / "m.keras"
    )
    subject = load(tmp_path / "m.keras")
    assert subject.cells == ()
    assert any("'memory'" in note and "its cell is none of" in note for note in subject.notes)
