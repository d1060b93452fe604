"""The live reference networks give the report of the same networks as files."""

import numpy as np
import pytest
from files.reference import FOLDER, cnn, cnn_outputs, mlp, mlp_outputs
from test_formats_agree import CNN_SPEC, OUTPUTS, TANH, assert_agree, sections

from fpcheck.network.load import load
from fpcheck.network.program import forward


def filled(layers, weights):
    """The PyTorch layers with the reference weights, in evaluation mode or not."""
    torch = pytest.importorskip("torch")
    with torch.no_grad():
        for layer, (weight, bias) in zip(layers, weights.values(), strict=True):
            layer.weight.copy_(torch.tensor(weight))
            layer.bias.copy_(torch.tensor(bias))
    return layers


def torch_mlp():
    nn = pytest.importorskip("torch").nn
    a, b, c = filled([nn.Linear(6, 5), nn.Linear(5, 4), nn.Linear(4, 6)], mlp())
    return nn.Sequential(a, nn.Tanh(), b, nn.Tanh(), c)


def torch_cnn():
    nn = pytest.importorskip("torch").nn
    layers = [nn.Conv2d(2, 3, 3, padding=1), nn.Conv2d(3, 4, 3), nn.Linear(16, 5)]
    a, b, c = filled(layers, cnn())
    model = nn.Sequential(a, nn.ReLU())
    model.add_module("pool1", nn.MaxPool2d(2))  # a note of the report names it
    return model.extend([b, nn.ReLU(), nn.Flatten(), c])


def test_the_live_mlp_has_the_files_report():
    expected = sections(FOLDER / "npz/mlp_layers.npz", TANH)
    assert_agree(sections(torch_mlp(), {}), expected, "torch")


def test_the_live_cnn_has_the_files_report():
    expected = sections(FOLDER / "npz/cnn.npz", CNN_SPEC)
    assert_agree(sections(torch_cnn(), {"input_shape": (2, 8, 8)}), expected, "torch")


def test_a_network_of_ours_has_the_report_of_its_file():
    path = FOLDER / "npz/mlp_layers.npz"
    network = load(path, **TANH).network
    assert_agree(sections(network, {}), sections(path, TANH), "network")


def test_the_live_networks_compute_what_numpy_computes():
    rng = np.random.default_rng(1)
    rows, images = rng.standard_normal((8, 6)), rng.standard_normal((8, 2, 8, 8))
    found = forward(load(torch_mlp()).network.program, rows)
    np.testing.assert_allclose(found, mlp_outputs(rows), atol=OUTPUTS, rtol=0)
    found = forward(load(torch_cnn(), input_shape=(2, 8, 8)).network.program, images)
    np.testing.assert_allclose(found, cnn_outputs(images), atol=OUTPUTS, rtol=0)
