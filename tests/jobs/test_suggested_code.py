"""The code that is suggested runs in its framework, and the signal it starts is flat."""

import math
import os
import re
import subprocess
import sys
import tomllib

import numpy as np
import pytest

from fpcheck.jobs.suggest import suggest

os.environ.setdefault("KERAS_BACKEND", "torch")

WIDTH, DEPTH, ROWS = 512, 12, 256
# The spread of log q over draws of one layer is sqrt(k / width), k below 8 at V' below 0.9; five of
# them. He on tanh, or PyTorch's default, is off by more than that in two layers.
FLAT = 5.0 * math.sqrt(8.0 / WIDTH)


def spec(tmp_path, name="tanh"):
    path = tmp_path / "net.toml"
    path.write_text(
        f"""
[network]
input = {WIDTH}
layers = [ {{ dense = {WIDTH}, activation = "{name}", repeat = {DEPTH} }}, {{ dense = 10 }} ]
""",
        "utf-8",
    )
    return path


def namespace(code):
    held = {"__name__": "suggested"}
    exec(compile(code, "suggested.py", "exec"), held)
    return held


def inputs():
    return np.random.default_rng(3).standard_normal((ROWS, WIDTH)).astype(np.float32)


def array(variable):
    """A Keras variable, whose backend is PyTorch here."""
    return variable.value.detach().cpu().numpy()


def assert_flat(second_moments, aimed):
    ratios = np.log(np.array(second_moments) / np.array(aimed))
    assert np.abs(ratios).max() < FLAT


@pytest.mark.parametrize("method", ["normal", "orthogonal", "lsuv"])
def test_pytorch(method, tmp_path):
    torch = pytest.importorskip("torch")
    document = suggest(spec(tmp_path), method=method)
    parts = []
    for _ in range(DEPTH):
        parts += [torch.nn.Linear(WIDTH, WIDTH), torch.nn.Tanh()]
    model = torch.nn.Sequential(*parts, torch.nn.Linear(WIDTH, 10))
    torch.manual_seed(0)
    held = namespace(document["code"]["pytorch"])
    assert held["initialise"](model) is model
    x, found = torch.from_numpy(inputs()), []
    with torch.no_grad():
        for part in model[:-1]:
            x = part(x)
            if isinstance(part, torch.nn.Linear):
                found.append(float((x * x).mean()))
    assert_flat(found, [row["q"] for row in document["layers"][:-1]])


def test_pytorch_convolutions_in_order_and_a_wrong_model_is_refused(tmp_path):
    torch = pytest.importorskip("torch")
    text = """
[network]
input = [3, 12, 12]
layers = [
  { conv2d = 32, kernel = 3, activation = "relu" },
  { conv2d = 64, kernel = 3, groups = 4, activation = "relu" },
  { flatten = true }, { dense = 5 },
]
"""
    (tmp_path / "cnn.toml").write_text(text, "utf-8")
    document = suggest(tmp_path / "cnn.toml")
    held = namespace(document["code"]["pytorch"])
    nn = torch.nn

    def model(groups):
        return nn.Sequential(
            nn.Conv2d(3, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3, groups=groups), nn.ReLU(),
            nn.Flatten(), nn.Linear(64 * 64, 5),
        )  # fmt: skip

    good = held["initialise"](model(4))
    variances = [float(layer.weight.detach().var()) for layer in (good[0], good[2], good[5])]
    rows = document["layers"]
    expected = [row["sigma_w2"] / row["fan_in"] for row in rows]
    assert variances == pytest.approx(expected, rel=0.2)
    with pytest.raises(ValueError, match="expected fan_in"):
        held["initialise"](model(1))
    with pytest.raises(ValueError, match="layers, expected 3"):
        held["initialise"](nn.Sequential(nn.Linear(3, 3)))


@pytest.mark.parametrize("method", ["normal", "orthogonal"])
def test_keras(method, tmp_path):
    pytest.importorskip("torch")
    keras = pytest.importorskip("keras")
    document = suggest(spec(tmp_path), method=method)
    dense = [keras.layers.Dense(WIDTH, activation="tanh", name=f"d{i}") for i in range(DEPTH)]
    inner = keras.Sequential([keras.Input((WIDTH,)), *dense])
    model = keras.Sequential([keras.Input((WIDTH,)), inner, keras.layers.Dense(10)])
    namespace(document["code"]["keras"])["initialise"](model)
    x, found = inputs().astype(np.float64), []
    for layer in dense:
        kernel, bias = map(array, (layer.kernel, layer.bias))
        h = x @ kernel + bias
        found.append(float(np.mean(h * h)))
        x = np.tanh(h)
    assert_flat(found, [row["q"] for row in document["layers"][:-1]])


def test_keras_depthwise_convolutions(tmp_path):
    pytest.importorskip("torch")
    keras = pytest.importorskip("keras")
    text = """
[network]
input = [4, 9, 9]
layers = [
  { conv2d = 8, kernel = 3, groups = 4, activation = "relu" }, { flatten = true }, { dense = 3 },
]
"""
    (tmp_path / "net.toml").write_text(text, "utf-8")
    document = suggest(tmp_path / "net.toml", method="orthogonal")
    model = keras.Sequential(
        [
            keras.Input((9, 9, 4)),
            keras.layers.DepthwiseConv2D(3, depth_multiplier=2, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(3),
        ]
    )
    namespace(document["code"]["keras"])["initialise"](model)
    kernel = array(model.layers[0].kernel)
    row = document["layers"][0]
    assert row["fan_in"] * np.mean(kernel**2) == pytest.approx(row["sigma_w2"], rel=1e-4)


JAX = """
import os, sys
os.environ["JAX_PLATFORMS"] = "cpu"
import jax, jax.numpy as jnp, numpy as np
import flax.linen as nn

class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        found = []
        for _ in range({depth}):
            h = nn.Dense({width})(x)
            found.append((h * h).mean())
            x = jnp.tanh(h)
        return nn.Dense(10)(x), jnp.stack(found)

held = {{"__name__": "suggested"}}
exec(compile(open(sys.argv[1]).read(), "suggested.py", "exec"), held)
net = Net()
x = jnp.asarray(np.load(sys.argv[2]))
variables = jax.jit(net.init)(jax.random.key(0), x)  # keys come back sorted as strings
params = held["initialise"](variables["params"], jax.random.key(1))
print(*np.asarray(net.apply({{"params": params}}, x)[1]))
"""


@pytest.mark.parametrize("method", ["normal", "orthogonal"])
def test_jax_and_flax(method, tmp_path):
    """In a process of its own: jax's threads do not like to be forked behind."""
    pytest.importorskip("flax")
    document = suggest(spec(tmp_path), method=method)
    (tmp_path / "suggested.py").write_text(document["code"]["jax"], "utf-8")
    np.save(tmp_path / "x.npy", inputs())
    program = JAX.format(depth=DEPTH, width=WIDTH)
    paths = [str(tmp_path / "suggested.py"), str(tmp_path / "x.npy")]
    done = subprocess.run(
        [sys.executable, "-c", program, *paths], capture_output=True, text=True, check=True
    )
    found = [float(word) for word in done.stdout.split()]
    assert_flat(found, [row["q"] for row in document["layers"][:-1]])


def test_code_is_plain_python_whatever_the_layers_are_called(tmp_path):
    """A name from a file stands in a comment, and cannot leave it."""
    hostile = "a\nimport os; os.abort()\r#\u2028x"
    arrays = {
        f"{hostile}0.weight": np.random.default_rng(0).normal(size=(6, 5)),
        f"{hostile}1.weight": np.random.default_rng(1).normal(size=(4, 6)),
    }
    np.savez(tmp_path / "net.npz", **arrays)
    document = suggest(tmp_path / "net.npz", activation="relu")
    for name in ("pytorch", "keras", "jax"):
        code = document["code"][name]
        assert not re.search(r"^\s*import os", code, re.M)
        compile(code, name, "exec")
    assert not re.search(r"^import", document["code"]["spec"], re.M)


@pytest.mark.parametrize("framework", ["pytorch", "keras", "jax"])
def test_code_fits_a_narrow_window(framework, tmp_path):
    lines = suggest(spec(tmp_path))["code"][framework].splitlines()
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize(
    "name", ["{rows}", 'we"""ird', "bell\x07", "del\x7f", "feed\x0c", "nel\x85"]
)
def test_no_file_name_changes_the_code_or_breaks_the_spec(name, tmp_path):
    path = tmp_path / f"{name}.npz"
    np.savez(path, **{"l0.weight": np.ones((20, 10)), "l1.weight": np.ones((5, 20))})
    code = suggest(path, activation="relu")["code"]
    for framework in ("pytorch", "keras", "jax"):
        compile(code[framework], framework, "exec")
        assert code[framework].count("(10, 20, ") == 1
    assert len(tomllib.loads(code["spec"])["network"]["layers"]) == 2


def test_the_spec_keeps_all_digits_of_an_activation(tmp_path):
    path = tmp_path / "net.toml"
    path.write_text(
        "[network]\ninput = 8\nlayers = [\n"
        '  { dense = 8, activation = "crelu(1.0364333894937898, 0.8095281)" },\n'
        "  { dense = 2 },\n]\n"
    )
    assert '"crelu(1.0364333894937898, 0.8095281)"' in suggest(path)["code"]["spec"]
