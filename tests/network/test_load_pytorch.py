"""PyTorch files are read as PyTorch reads them, value for value, without it."""

import argparse
import io
import pathlib
import subprocess
import sys
import zipfile
from collections import OrderedDict, defaultdict

import numpy as np
import pytest

from fpcheck.core.errors import ModelFileError
from fpcheck.network.load import load

torch = pytest.importorskip("torch")
nn = torch.nn


def save(tmp_path, value, name="model.pt"):
    path = tmp_path / name
    torch.save(value, path)
    return path


def assert_same(found, tensor):
    expected = tensor.float().numpy() if tensor.dtype == torch.bfloat16 else tensor.numpy()
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "dtype",
    [
        torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int8, torch.int16,
        torch.int32, torch.int64, torch.uint8, torch.uint16, torch.uint32, torch.bool,
    ],
    ids=str,
)  # fmt: skip
def test_every_dtype_is_read_exactly(tmp_path, dtype):
    generator = torch.Generator().manual_seed(1)
    values = (torch.randn(7, 5, generator=generator) * 40).abs().to(dtype)
    assert_same(load(save(tmp_path, {"weight": values})).tensors["weight"], values)


def test_bfloat16_keeps_infinities_nan_and_subnormals(tmp_path):
    values = torch.tensor([float("inf"), -float("inf"), float("nan"), 1e-40, -0.0, 3.0])
    values = values.to(torch.bfloat16)
    found = load(save(tmp_path, {"weight": values})).tensors["weight"]
    np.testing.assert_array_equal(found.view(np.uint32), values.float().numpy().view(np.uint32))


@pytest.mark.parametrize(
    "view",
    [
        lambda t: t.t(),
        lambda t: t[1:, ::2],
        lambda t: t[2],
        lambda t: t[:, 3],
        lambda t: t.permute(1, 0)[2:4],
        lambda t: t[:0],
        lambda t: t[3, 3],
        lambda t: t.reshape(-1)[5:6].expand(4, 6, 1),
        lambda t: t.as_strided((4, 4), (1, 1), 3),
        lambda t: t.unsqueeze(0),
    ],
    ids=[
        "transposed", "sliced", "row", "column", "permuted", "empty", "scalar", "expanded",
        "overlapping", "one-axis",
    ],
)  # fmt: skip
def test_strided_views_are_what_pytorch_sees(tmp_path, view):
    tensor = view(torch.arange(48, dtype=torch.float64).reshape(6, 8))
    assert_same(load(save(tmp_path, {"w": tensor})).tensors["w"], tensor)


def test_tensors_that_share_a_storage_are_each_right(tmp_path):
    base = torch.arange(24.0)
    state = {"a": base[:12].view(3, 4), "b": base[6:18].view(4, 3), "c": base[12:].view(2, 6).t()}
    tensors = load(save(tmp_path, state)).tensors
    for name, tensor in state.items():
        assert_same(tensors[name], tensor)


def test_a_storage_that_two_tensors_share_is_in_memory_once(tmp_path):
    shared = torch.randn(64, 64)
    tensors = load(save(tmp_path, {"a": shared, "b": shared})).tensors
    assert np.shares_memory(tensors["a"], tensors["b"])


def test_parameters_and_attributes_do_not_disturb(tmp_path):
    parameter = nn.Parameter(torch.randn(3, 2))
    parameter.note = "kept by PyTorch as the tensor's state"
    state = OrderedDict(w=parameter, v=nn.Parameter(torch.randn(2), requires_grad=False))
    tensors = load(save(tmp_path, state)).tensors
    assert_same(tensors["w"], parameter.detach())
    assert_same(tensors["v"], state["v"])


def test_what_checkpoints_carry_beside_tensors_is_passed_over(tmp_path):
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3))
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.randn(5, 3)).sum().backward()
    optimizer.step()
    checkpoint = {
        "epoch": 3,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": torch.optim.lr_scheduler.StepLR(optimizer, 5).state_dict(),
        "args": argparse.Namespace(width=4, path=pathlib.PurePosixPath("a/b")),
        "losses": [0.5, 0.25],
        "best": np.float64(0.125),
        "history": np.arange(3.0),
        "seen": {1, 2, 3},
        "counts": defaultdict(int, a=1),
        "rng": torch.get_rng_state(),
        "dtype": torch.float16,
        "device": torch.device("cpu"),
        "size": torch.Size([2, 3]),
        "big": 2**200,
        "z": 1 + 2j,
        (1, 2): "a key that names nothing",
    }
    subject = load(save(tmp_path, checkpoint), activation="tanh")
    assert list(subject.tensors) == list(model.state_dict())
    for name, tensor in model.state_dict().items():
        assert_same(subject.tensors[name], tensor)
    assert subject.network is not None
    assert any("optimizer" in note for note in subject.notes)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_pickle_protocol_is_read(tmp_path, protocol):
    path = tmp_path / "model.pt"
    state = {"w": torch.randn(3, 4), "extra": {"b": torch.randn(2), "bytes": b"abc" * 100}}
    torch.save(state, path, pickle_protocol=protocol)
    tensors = load(path).tensors
    assert_same(tensors["w"], state["w"])
    assert_same(tensors["extra.b"], state["extra"]["b"])


def test_wrappers_prefixes_are_dropped(tmp_path):
    model = nn.Sequential(nn.Linear(3, 3))
    wrapped = nn.DataParallel(model).state_dict()
    compiled = {f"_orig_mod.module.{name}": t for name, t in model.state_dict().items()}
    for state in (wrapped, compiled):
        assert list(load(save(tmp_path, state)).tensors) == ["0.weight", "0.bias"]


def test_a_deflated_archive_is_read(tmp_path):
    state = {"w": torch.zeros(300, 300), "v": torch.randn(1000)}
    path = save(tmp_path, state)
    packed = tmp_path / "packed.pt"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    assert packed.stat().st_size < path.stat().st_size / 10
    for name, tensor in state.items():
        assert_same(load(packed).tensors[name], tensor)


def test_a_big_endian_archive_is_read(tmp_path):
    values = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    path = save(tmp_path, {"w": values, "h": values.t().to(torch.bfloat16)})
    swapped = tmp_path / "big.pt"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(swapped, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith("byteorder"):
                data = b"big"
            elif "/data/0" in name:
                data = np.frombuffer(data, "<f4").astype(">f4").tobytes()
            elif "/data/1" in name:
                data = np.frombuffer(data, "<u2").astype(">u2").tobytes()
            new.writestr(name, data)
    tensors = load(swapped).tensors
    assert_same(tensors["w"], values)
    assert_same(tensors["h"], values.t().to(torch.bfloat16))


def test_a_file_written_without_checksums_is_read(tmp_path):
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        path = save(tmp_path, {"w": torch.arange(4.0)})
    finally:
        torch.serialization.set_crc32_options(before)
    assert_same(load(path).tensors["w"], torch.arange(4.0))


def test_a_whole_model_is_refused_with_its_class(tmp_path):
    with pytest.raises(ModelFileError, match=r"whole model.*Sequential") as caught:
        load(save(tmp_path, nn.Sequential(nn.Linear(2, 2))))
    assert "state_dict()" in caught.value.hint


class Homemade(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)


def test_a_whole_model_of_the_users_own_class_is_refused_with_it(tmp_path):
    with pytest.raises(ModelFileError, match=r"whole model.*Homemade") as caught:
        load(save(tmp_path, {"net": Homemade()}))
    assert "state_dict()" in caught.value.hint


@pytest.mark.filterwarnings("ignore")
def test_sparse_quantized_and_float8_tensors_are_refused_by_kind(tmp_path):
    quantized = torch.quantize_per_tensor(torch.randn(3), 0.1, 0, torch.qint8)
    for value, word in (
        (torch.eye(3).to_sparse(), "sparse"),
        (quantized, "quantized"),
        (torch.zeros(3).to(torch.float8_e4m3fn), "float8_e4m3fn"),
        (torch.empty(3, device="meta"), "without data"),
    ):
        with pytest.raises(ModelFileError, match=word) as caught:
            load(save(tmp_path, {"w": value}))
        assert caught.value.hint


def test_complex_tensors_are_left_out_with_a_note(tmp_path):
    state = {"w": torch.randn(2, 2), "freqs": torch.zeros(3, dtype=torch.complex64)}
    subject = load(save(tmp_path, state))
    assert list(subject.tensors) == ["w"]
    assert any("'freqs' is left out: complex" in note for note in subject.notes)


def test_reading_a_pytorch_file_imports_neither_torch_nor_pickle_of_it(tmp_path):
    path = save(tmp_path, nn.Linear(3, 3).state_dict())
    code = (
        "import sys; from fpcheck.network.load import load; "
        f"load({str(path)!r}); print('torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_a_single_tensor_is_read(tmp_path):
    tensor = torch.randn(3, 3)
    assert_same(load(save(tmp_path, tensor)).tensors["tensor"], tensor)


def test_a_list_of_tensors_is_read_by_index(tmp_path):
    tensors = [torch.randn(2), torch.randn(3)]
    assert list(load(save(tmp_path, tensors)).tensors) == ["0", "1"]


def test_a_file_without_tensors_says_what_it_holds(tmp_path):
    with pytest.raises(ModelFileError, match="holds no tensors") as caught:
        load(save(tmp_path, {"epoch": 3}))
    assert "epoch" in caught.value.hint
    with pytest.raises(ModelFileError, match="NumPy arrays"):
        load(save(tmp_path, {"w": np.zeros(3)}))


def test_the_hash_is_that_of_the_files_bytes(tmp_path):
    import hashlib

    path = save(tmp_path, {"w": torch.randn(400, 400)})
    assert load(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    buffer = io.BytesIO(path.read_bytes())
    assert zipfile.is_zipfile(buffer)
