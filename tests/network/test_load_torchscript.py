"""TorchScript archives and PyTorch's old format are read as safely as state dicts."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from files.reference import FOLDER, cnn, mlp

from fpcheck.core.errors import ModelFileError
from fpcheck.network.load import load

torch = pytest.importorskip("torch")
nn = torch.nn

# TorchScript is deprecated in PyTorch, whose files people still have.
pytestmark = pytest.mark.filterwarnings("ignore")


def layers_of(subject):
    names = list(subject.tensors)
    return [subject.tensors[name] for name in names]


@pytest.mark.parametrize(
    "file", ["mlp_script.pt", "mlp_trace.jit", "mlp_frozen.pt", "mlp_legacy.pt"]
)
def test_the_committed_mlp_has_its_weights(file):
    found = layers_of(load(FOLDER / "pytorch" / file))
    expected = [part for pair in mlp().values() for part in pair]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("file", ["cnn_script.pt", "cnn_trace.jit", "cnn_legacy.pt"])
def test_the_committed_cnn_has_its_weights(file):
    found = layers_of(load(FOLDER / "pytorch" / file))
    expected = [part for pair in cnn().values() for part in pair]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_lite_interpreters_file_in_half_precision_is_read():
    found = load(FOLDER / "pytorch" / "mlp_lite_half.ptl")
    assert found.tensors["0.weight"].dtype == np.float16
    expected = mlp()["hidden1"][0].astype(np.float16)
    np.testing.assert_array_equal(found.tensors["0.weight"], expected)


class Part(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = 3
        self.words = ["a", "b"]
        self.sizes = [1, 2]
        self.table = {"x": torch.full((2,), 7.0)}
        self.several = [torch.ones(1), torch.zeros(1)]
        self.linear = nn.Linear(3, 2)
        self.norm = nn.BatchNorm1d(2)
        self.register_buffer("shift", torch.arange(2.0))

    def forward(self, x):
        return self.norm(self.linear(x)) * self.scale + self.shift + self.table["x"]


def test_attributes_of_modules_become_dotted_names(tmp_path):
    module = nn.Sequential(Part(), nn.ReLU(), nn.Linear(2, 3)).eval()
    torch.jit.save(torch.jit.script(module), str(tmp_path / "net.pt"))
    found = load(tmp_path / "net.pt").tensors
    state = module.state_dict()
    assert state.keys() | {"0.table.x", "0.several.0", "0.several.1"} == found.keys()
    for name, tensor in state.items():
        np.testing.assert_array_equal(found[name], tensor.numpy())


def test_an_attribute_called_model_does_not_hide_the_others(tmp_path):
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = nn.Linear(3, 2)
            self.head = nn.Linear(2, 3)

        def forward(self, x):
            return self.head(torch.tanh(self.model(x)))

    torch.jit.save(torch.jit.script(Both()), str(tmp_path / "net.pt"))
    subject = load(tmp_path / "net.pt", activation="tanh")
    assert list(subject.tensors) == ["model.weight", "model.bias", "head.weight", "head.bias"]
    assert subject.network is not None
    assert list(load(tmp_path / "net.pt", key="head").tensors) == ["weight", "bias"]


def test_the_code_of_a_program_is_not_read(tmp_path):
    """The archive's code may be anything: what it says has no influence."""
    import zipfile

    with (
        zipfile.ZipFile(FOLDER / "pytorch" / "mlp_script.pt") as before,
        zipfile.ZipFile(tmp_path / "net.pt", "w") as after,
    ):
        for entry in before.infolist():
            code = "/code/" in entry.filename
            after.writestr(entry.filename, "raise SystemExit" if code else before.read(entry))
    found = load(tmp_path / "net.pt").tensors
    np.testing.assert_array_equal(found["0.weight"], mlp()["hidden1"][0])


def test_a_quantized_program_is_refused_by_that_word(tmp_path):
    quantized = torch.ao.quantization.quantize_dynamic(
        nn.Sequential(nn.Linear(3, 2)), dtype=torch.qint8
    )
    torch.jit.save(torch.jit.script(quantized), str(tmp_path / "net.pt"))
    with pytest.raises(ModelFileError, match="quantized"):
        load(tmp_path / "net.pt")


def test_the_old_format_keeps_shared_and_strided_tensors(tmp_path):
    weight = torch.randn(4, 6)
    state = {
        "state_dict": {
            "a.weight": weight,
            "b.weight": weight.t(),
            "c.weight": weight[1:, ::2],
            "c.bias": torch.arange(4, dtype=torch.float64),
            "half": torch.randn(3).to(torch.bfloat16),
            "flags": torch.tensor([True, False]),
        },
        "epoch": 3,
    }
    torch.save(state, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    subject = load(tmp_path / "old.pt")
    assert "PyTorch's format of before 1.6" in subject.notes
    for name, tensor in state["state_dict"].items():
        expected = tensor.float() if tensor.dtype == torch.bfloat16 else tensor
        np.testing.assert_array_equal(subject.tensors[name], expected.numpy())


def test_pickles_longer_than_the_first_look_are_read_whole(monkeypatch):
    from fpcheck.network.load import legacy

    monkeypatch.setattr(legacy, "FIRST_LOOK", 300)
    found = load(FOLDER / "pytorch/mlp_legacy.pt").tensors
    np.testing.assert_array_equal(found["0.weight"], mlp()["hidden1"][0])


def test_both_formats_of_one_object_give_one_subject(tmp_path):
    state = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).state_dict()
    torch.save(state, tmp_path / "new.pt")
    torch.save(state, tmp_path / "old.bin", _use_new_zipfile_serialization=False)
    old, new = load(tmp_path / "old.bin"), load(tmp_path / "new.pt")
    assert list(old.tensors) == list(new.tensors)
    for name, tensor in new.tensors.items():
        np.testing.assert_array_equal(old.tensors[name], tensor)


def test_no_file_of_these_formats_imports_torch():
    files = [str(FOLDER / "pytorch" / name) for name in ("mlp_script.pt", "mlp_legacy.pt")]
    code = (
        "import sys; from fpcheck.network.load import load; "
        f"[load(f) for f in {files}]; print('torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
