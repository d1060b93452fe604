"""A spec's skeleton takes a file's tensors by name, or in order and by shape, or not at all."""

import numpy as np
import pytest

from fpcheck.core.errors import ModelFileError, SpecError
from fpcheck.network.load import load
from fpcheck.network.program import forward
from fpcheck.network.summary import summarise


def spec(tmp_path, text):
    path = tmp_path / "net.toml"
    path.write_text(text)
    return path


def mlp(tmp_path, sizes, extra=""):
    entries = ", ".join(f'{{ dense = {n}, activation = "tanh" }}' for n in sizes[1:])
    return spec(tmp_path, f"[network]\ninput = {sizes[0]}\nlayers = [ {entries} ]\n{extra}")


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


def bound(subject):
    """The weight tensor of every layer, in the skeleton's order."""
    return [n.weight for n in subject.network.skeleton.nodes if getattr(n, "weight", None)]


def test_a_spec_alone_draws_its_network_from_the_seed(tmp_path):
    path = mlp(tmp_path, [4, 3, 4])
    one, again, other = load(path), load(path, seed=0), load(path, seed=1)
    assert one.format == "spec"
    assert one.input_law is not None
    assert set(one.layer_laws) == {"dense1", "dense2"}
    for name, tensor in one.tensors.items():
        np.testing.assert_array_equal(tensor, again.tensors[name])
    assert any((one.tensors[name] != other.tensors[name]).any() for name in one.tensors)


def test_a_missing_or_broken_spec_is_its_own_error(tmp_path):
    weights = save(tmp_path, arrays(weight=(3, 3)))
    with pytest.raises((ModelFileError, SpecError), match=r"cannot read|does not exist"):
        load(weights, spec=tmp_path / "none.toml")
    with pytest.raises(SpecError):
        load(spec(tmp_path, "[network]\ninput = 3\nlayer = []\n"))


def test_tensors_are_taken_in_the_files_order(tmp_path):
    tensors = arrays(**{"b.weight": (4, 4), "b.bias": 4, "a.weight": (4, 4), "a.bias": 4})
    subject = load(save(tmp_path, tensors), spec=mlp(tmp_path, [4, 4, 4]))
    assert bound(subject) == ["b.weight", "a.weight"]
    x = np.random.default_rng(0).normal(size=(3, 4))
    first = np.tanh(x @ tensors["b.weight"].T + tensors["b.bias"])
    expected = np.tanh(first @ tensors["a.weight"].T + tensors["a.bias"])
    np.testing.assert_allclose(
        forward(subject.network.program, x), expected, rtol=1e-12, atol=1e-13
    )


def test_numbers_order_the_tensors_of_a_file_that_does_not_keep_the_order(tmp_path):
    names = [f"net.{i}.weight" for i in range(11)]
    tensors = arrays(**dict.fromkeys(names, (4, 4)))
    subject = load(save(tmp_path, tensors, "safetensors"), spec=mlp(tmp_path, [4] * 12))
    assert bound(subject) == names


def test_two_assignments_that_fit_are_an_error(tmp_path):
    tensors = arrays(**{"enc.weight": (4, 4), "dec.weight": (4, 4)})
    with pytest.raises(ModelFileError, match=r"fits 'dec.weight' and 'enc.weight'") as caught:
        load(save(tmp_path, tensors, "safetensors"), spec=mlp(tmp_path, [4, 4, 4]))
    assert "tensor =" in caught.value.hint
    with pytest.raises(ModelFileError, match="no order decides"):
        load(save(tmp_path, tensors), spec=mlp(tmp_path, [4, 4]))


def test_a_square_matrix_under_an_unknown_name_needs_the_layout(tmp_path):
    weights, net = save(tmp_path, arrays(w0=(4, 4), b0=4)), mlp(tmp_path, [4, 4])
    with pytest.raises(ModelFileError, match=r"\(out, in\) and as \(in, out\)") as caught:
        load(weights, spec=net)
    assert "--layout" in caught.value.hint
    assert load(weights, spec=net, layout="in_out").network is not None


def test_shapes_decide_the_layout_of_an_unknown_name(tmp_path):
    subject = load(save(tmp_path, arrays(w0=(3, 5), b0=5)), spec=mlp(tmp_path, [3, 5]))
    assert subject.network.skeleton.nodes[1].layout == "in_out"


def test_layers_of_the_same_name_belong_together_whatever_the_order(tmp_path):
    text = """
    [network]
    input = 4
    layers = [ { dense = 4, name = "enc" }, { dense = 4, name = "dec" } ]
    """
    tensors = arrays(**{"dec.weight": (4, 4), "enc.weight": (4, 4)})
    assert bound(load(save(tmp_path, tensors), spec=spec(tmp_path, text))) == [
        "enc.weight",
        "dec.weight",
    ]


def test_named_tensors_are_used_and_the_rest_follows_in_order(tmp_path):
    text = """
    [network]
    input = 4
    layers = [ { dense = 4 }, { dense = 4, tensor = "a.weight" }, { dense = 4 } ]
    """
    names = ("a.weight", "a.bias", "b.weight", "c.weight")
    tensors = arrays(**{n: 4 if n.endswith("bias") else (4, 4) for n in names})
    subject = load(save(tmp_path, tensors), spec=spec(tmp_path, text))
    assert bound(subject) == ["b.weight", "a.weight", "c.weight"]
    assert subject.unused == ()


def test_a_named_tensor_that_is_not_there_lists_near_names(tmp_path):
    text = '[network]\ninput = 4\nlayers = [ { dense = 4, tensor = "enc.wieght" } ]\n'
    with pytest.raises(ModelFileError, match=r"'enc\.wieght'") as caught:
        load(save(tmp_path, arrays(**{"enc.weight": (4, 4)})), spec=spec(tmp_path, text))
    assert "enc.weight" in caught.value.hint


@pytest.mark.parametrize(
    ("shapes", "words", "hint"),
    [
        ({"0.weight": (5, 4)}, r"layer 'dense1': weight is \(5, 4\), expected \(3, 4\)", "sizes"),
        ({"0.weight": (4, 3)}, r"weight is \(4, 3\), expected \(3, 4\)", "--layout in_out"),
        ({"0.weight": (3, 4), "0.bias": 5}, r"bias is \(5,\), expected \(3,\)", "transposed"),
        ({"0.bias": 3}, "needs 1 of kind dense, the file has 0", "tensor ="),
    ],
)
def test_shapes_that_do_not_fit_are_named(tmp_path, shapes, words, hint):
    with pytest.raises(ModelFileError, match=words) as caught:
        load(save(tmp_path, arrays(**shapes)), spec=mlp(tmp_path, [4, 3]))
    assert hint in caught.value.hint
    assert "model.npz" in caught.value.where


def test_too_few_layers_in_the_file_are_counted(tmp_path):
    tensors = arrays(**{"0.weight": (4, 4), "2.weight": (4, 4)})
    with pytest.raises(ModelFileError, match=r"'dense3' finds no tensors.*needs 3.*has 2"):
        load(save(tmp_path, tensors), spec=mlp(tmp_path, [4, 4, 4, 4]))


def test_layers_that_the_spec_does_not_have_are_unused(tmp_path):
    tensors = arrays(**{"0.weight": (5, 4), "head.weight": (9, 5), "head.bias": 9})
    subject = load(save(tmp_path, tensors), spec=mlp(tmp_path, [4, 5]))
    assert subject.unused == ("head.weight", "head.bias")
    assert subject.network is not None
    assert summarise(subject).parameters == 20


def test_the_file_says_whether_a_layer_has_a_bias(tmp_path):
    net = mlp(tmp_path, [4, 3], '[init]\nweights = "he_normal"\nbiases = "zeros"\n')
    with_bias = arrays(**{"0.weight": (3, 4), "0.bias": 3})
    assert load(save(tmp_path, with_bias), spec=net).network.skeleton.nodes[1].bias == "0.bias"
    without = {"0.weight": with_bias["0.weight"]}
    assert load(save(tmp_path, without), spec=net).network.skeleton.nodes[1].bias is None


CNN = """
[network]
input = [2, 12]
layers = [
  { conv1d = 4, kernel = 3, padding = 1 },
  { norm = "batch", activation = "relu" },
  { residual = [ { conv1d = 4, kernel = 3, padding = 1, activation = "relu" },
                 { conv1d = 4, kernel = 3, padding = 1 } ] },
  { norm = "layer" },
  { flatten = true },
  { dense = 5 },
]
"""


def test_a_residual_convolutional_network_computes_what_pytorch_computes(tmp_path):
    torch = pytest.importorskip("torch")
    nn = torch.nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.c1, self.c2, self.c3 = (nn.Conv1d(c, 4, 3, padding=1) for c in (2, 4, 4))
            self.bn, self.ln, self.head = nn.BatchNorm1d(4), nn.LayerNorm([4, 12]), nn.Linear(48, 5)

        def forward(self, x):
            x = torch.relu(self.bn(self.c1(x)))
            x = x + self.c3(torch.relu(self.c2(x)))
            return self.head(self.ln(x).flatten(1))

    torch.manual_seed(0)
    net = Net().double()
    with torch.no_grad():
        net.ln.weight.normal_()
        net.ln.bias.normal_()
    net(torch.randn(20, 2, 12, dtype=torch.float64))
    net.eval()
    torch.save({"model": net.state_dict(), "epoch": 1}, tmp_path / "model.pt")
    subject = load(tmp_path / "model.pt", spec=spec(tmp_path, CNN))
    x = torch.randn(3, 2, 12, dtype=torch.float64)
    np.testing.assert_allclose(
        forward(subject.network.program, x.numpy()),
        net(x).detach().numpy(),
        rtol=1e-11,  # layer norm divides by a deviation that is itself rounded
        atol=1e-12,
    )
    assert subject.unused == ("bn.num_batches_tracked",)
