"""No pickle runs anything, takes more memory than the file warrants, or breaks the reader."""

import os
import pickle
import tracemalloc

import numpy as np
import pytest
from hostile_files import integer, pytorch_file, state_dict, storage, tensor, text

from fpcheck.core.errors import ModelFileError
from fpcheck.network.load import load

NOTHING = "no tensors|no mapping|empty stack|nests too many"
FLOATS = np.arange(12, dtype="<f4").tobytes()


def refuse(tmp_path, data, words, storages=None):
    """The error that a data.pkl is refused with."""
    path = pytorch_file(tmp_path / "model.pt", data, storages)
    with pytest.raises(ModelFileError, match=words) as caught:
        load(path)
    assert "model.pt" in caught.value.where
    return caught.value


class Command:
    def __init__(self, call, *arguments):
        self.call, self.arguments = call, arguments

    def __reduce__(self):
        return self.call, self.arguments


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_that_would_run_a_command_is_refused_by_its_name(tmp_path, protocol):
    target = tmp_path / "ran"
    data = pickle.dumps({"w": Command(os.system, f"touch {target}")}, protocol)
    error = refuse(tmp_path, data, rf"'{os.name}\.system'")
    assert "nothing was called" in error.message
    assert "state_dict" in error.hint
    assert not target.exists()


@pytest.mark.parametrize("call", [eval, exec, __import__, getattr, open, compile, input])
def test_builtins_that_reach_into_the_process_are_refused(tmp_path, call):
    refuse(tmp_path, pickle.dumps({"w": Command(call, "1")}, 2), rf"\.{call.__name__}'")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"cbuiltins\neval\n.", "'builtins.eval'"),
        (b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.", "'builtins.eval'"),
        (b"(S'id'\nios\nsystem\n.", "'os.system'"),
        (b"(cposix\nsystem\nS'id'\no.", "'posix.system'"),
        (b"\x80\x02cposix\nsystem\n)\x81.", "'posix.system'"),
        (b"\x80\x04cposix\nsystem\n)}\x92.", "'posix.system'"),
        (b"ctorch\nload\n.", "'torch.load'"),
        (b"ctorch.storage\n_load_from_bytes\n.", "'torch.storage._load_from_bytes'"),
        (b"cnumpy\nload\n.", "'numpy.load'"),
        (b"cpickle\nloads\n.", "'pickle.loads'"),
        (b"ccollections\nOrderedDict.fromkeys\n.", "'collections.OrderedDict.fromkeys'"),
        (b"\x80\x04\x8c\x0bcollections\x8c\x14OrderedDict.__init__\x93.", "OrderedDict.__init__'"),
        (b"\x82\x01.", "extension registry"),
        (b"\x83\x01\x00.", "extension registry"),
        (b"\x84\x01\x00\x00\x00.", "extension registry"),
        (b"Pname\n.", "a name outside the file"),
        (b"\x97.", "buffer from outside"),
        (b"\x98.", "buffer from outside"),
        (b"N)R.", "no constructor"),
        (b"(N)o.", "no constructor"),
        (b"ctorch\nFloatStorage\n)R.", "'torch.FloatStorage', which is refused"),
        (b"cbuiltins\nlist\n)R.", "'builtins.list', which is refused"),
        (b"ccollections\nOrderedDict\nNR.", "'collections.OrderedDict', which is refused"),
        (b"ccollections\nOrderedDict\n(NtR.", "OrderedDict' is given"),
        (b"ccollections\nOrderedDict\n)}X\x01\x00\x00\x00aNs\x92.", "named arguments"),
        (b"ccollections\nOrderedDict\n}b.", "sets the state of a constructor"),
        (b"]}b.", "sets the state of a list"),
        (b"Kb)R.", "no constructor"),
        (b"NQ.", "persistent id"),
    ],
)
def test_every_opcode_that_calls_or_looks_outside_is_refused(tmp_path, data, words):
    refuse(tmp_path, data, words)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "cut off"),
        (b"\x80", "cut off"),
        (b"}", "cut off"),
        (b".", "empty stack"),
        (b"R.", "empty stack"),
        (b"s.", "empty stack"),
        (b"(s.", "empty stack"),
        (b"K\x01(0K\x01\x86.", "no mapping"),
        (b"t.", "not opened"),
        (b"u.", "not opened"),
        (b"(.", "empty stack"),
        (b"\xff.", "unknown opcode 0xff"),
        (b"\x80\x09.", "protocol 9"),
        (b"h\x05.", "not stored"),
        (b"gx\n.", "no number"),
        (b"g" + b"9" * 100 + b"\n.", "no number"),
        (b"Np-1\n.", "no number"),
        (b"Ip\n.", "integer"),
        (b"L" + b"9" * 100_000 + b"L\n.", "integer of 100000 digits"),
        (b"I" + b"9" * 5000 + b"\n.", "integer of 5000 digits"),
        (b"Fx\n.", "number that is none"),
        (b"\x8b\xff\xff\xff\x7f.", "integer of 2147483647 bytes"),
        (b"\x8b\xff\xff\xff\xff.", "integer of 4294967295 bytes"),
        (b"\x95\xff\xff\xff\xff\xff\xff\xff\xff.", "cut off"),
        (b"X\xff\xff\xff\xff.", "cut off"),
        (b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff.", "cut off"),
        (b"\x8e\xff\xff\xff\xff\xff\xff\xff\xff.", "cut off"),
        (b"\x96\xff\xff\xff\xff\xff\xff\xff\xff.", "cut off"),
        (b"NNa.", "no list"),
        (b"NK\x01K\x01s.", "no dictionary"),
        (b"}(K\x01u.", "no dictionary"),
        (b"N.", "no mapping"),
        (b"K\x01.", "no mapping"),
        (b"}.", "no tensors"),
        (b"(" * 20_000 + b".", "nests deeper"),
        (b"".join([b"}", b"X\x01\x00\x00\x00a}" * 200, b"s" * 200, b"."]), "nests too many"),
    ],
)  # fmt: skip
def test_pickles_that_make_no_sense_are_refused(tmp_path, data, words):
    refuse(tmp_path, data, words)


@pytest.mark.parametrize("opcode", [b"r", b"j"])
def test_a_nine_byte_memo_bomb_takes_no_memory(tmp_path, opcode):
    path = pytorch_file(tmp_path / "model.pt", b"\x80\x02N" + opcode + b"\xff\xff\xff\x7f.")
    tracemalloc.start()
    with pytest.raises(ModelFileError, match=r"out of bounds|not stored"):
        load(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * 2**20  # the hash block and the end of the archive; CPython's memo: 16 GiB


def test_deeply_nested_values_do_not_overflow_the_stack(tmp_path):
    for wrap in (b"\x85", b"]" + b"\x86"):
        refuse(
            tmp_path,
            b")" + wrap * 300_000 + b".",
            "no tensors|no mapping|empty stack|nests too many",
        )
    refuse(tmp_path, b"]" * 300_000 + b"a" * 299_999 + b".", NOTHING)


def test_nested_tuples_as_keys_are_never_hashed(tmp_path):
    nested = b"}" + b")" + b"\x85" * 300_000 + b"Ns."
    refuse(tmp_path, nested, "no tensors")


def test_a_value_that_contains_itself_is_refused(tmp_path):
    refuse(tmp_path, b"}q\x00X\x01\x00\x00\x00ah\x00s.", "nests too many")
    refuse(tmp_path, b"]q\x00h\x00a.", "nests too many")


def test_lists_of_lists_of_lists_are_not_unfolded(tmp_path):
    """Thirty dictionaries, each holding the one before ten times: 10^30 values if unfolded."""
    data = [b"}q\x00"]
    for level in range(30):
        keys = b"".join(text(str(i)) + b"h" + bytes([level]) for i in range(10))
        data.append(b"}(" + keys + b"uq" + bytes([level + 1]))
    refuse(tmp_path, b"".join(data) + b".", "nests too many")


def test_a_long_list_named_many_times_is_not_scanned_each_time(tmp_path):
    long = b"](" + b"K\x01" * 100_000 + b"eq\x00"
    data = (
        b"}(" + text("a") + long + b"".join(text(str(i)) + b"h\x00" for i in range(50_000)) + b"u."
    )
    refuse(tmp_path, data, "nests too many")


def test_integers_as_keys_that_collide_are_not_hashed(tmp_path):
    """All multiples of 2^61 - 1 have one hash: a dictionary of them takes quadratic time."""
    step = 2**61 - 1
    keys = b"".join(integer(i * step) + b"N" for i in range(1, 60_000))
    refuse(tmp_path, b"}(" + keys + b"u.", "no tensors")


def test_a_pickle_of_several_megabytes_is_read(tmp_path):
    losses = b"](" + b"G?\xe0\x00\x00\x00\x00\x00\x00" * 400_000 + b"e"
    data = state_dict(
        losses=losses, note=text("x" * 3_000_000), w=tensor("0", 12, 0, [3, 4], [4, 1])
    )
    subject = load(pytorch_file(tmp_path / "model.pt", data, {"0": FLOATS}))
    np.testing.assert_array_equal(subject.tensors["w"], np.arange(12.0).reshape(3, 4))


def test_the_reference_tensor_of_these_tests_is_read(tmp_path):
    data = state_dict(w=tensor("0", 12, 2, [2, 3], [1, 3]))
    found = load(pytorch_file(tmp_path / "model.pt", data, {"0": FLOATS})).tensors["w"]
    np.testing.assert_array_equal(found, [[2, 5, 8], [3, 6, 9]])


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [
        (0, [13], [1]),
        (1, [12], [1]),
        (12, [1], [1]),
        (0, [2, 2], [11, 1]),
        (0, [2], [12]),
        (0, [2], [-1]),
        (5, [3, 2], [-2, 1]),
        (0, [2, 2], [2**62, 1]),
        (0, [2], [2**70]),
        (2**40, [1], [1]),
    ],
)
def test_views_that_reach_outside_their_storage_are_refused(tmp_path, offset, shape, strides):
    data = state_dict(w=tensor("0", 12, offset, shape, strides))
    refuse(tmp_path, data, "outside its storage", {"0": FLOATS})


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [
        (-1, [1], [1]),
        (0, [-1], [1]),
        (0, [2, 2], [1]),
        (0, [1] * 33, [1] * 33),
        (0, [2**31, 2**31], [0, 0]),
        (0, [2**70], [0]),
        (2**70, [1], [1]),
        (0, [0, 2**62, 2**62], [1, 1, 1]),
    ],
)
def test_shapes_that_no_array_has_are_refused(tmp_path, offset, shape, strides):
    data = state_dict(w=tensor("0", 12, offset, shape, strides))
    refuse(tmp_path, data, "is given", {"0": FLOATS})


@pytest.mark.parametrize("count", [2**25, 2**33, 2**40])
def test_a_small_file_expanded_to_gigabytes_is_refused_whatever_memory_there_is(tmp_path, count):
    data = state_dict(w=tensor("0", 12, 0, [count], [0]))
    refuse(tmp_path, data, f"the same 48 bytes again and again, as {count} entries", {"0": FLOATS})


def test_one_tensor_named_a_thousand_times_is_refused(tmp_path):
    """Each name costs a few bytes of the file, each transposed tensor a copy of its storage."""
    side = 200
    view = tensor("0", side * side, 0, [side, side], [1, side]) + b"\x94"
    names = [text(f"w{place}") + (b"h\x00" if place else view) for place in range(1000)]
    data = b"\x80\x04}(" + b"".join(names) + b"u."
    refuse(tmp_path, data, "as 40000000 entries", {"0": bytes(4 * side * side)})


def test_tensors_that_share_a_storage_are_read(tmp_path):
    weight = tensor("0", 12, 0, [3, 4], [4, 1])
    tensors = {f"layer{place}": weight for place in range(60)}
    path = pytorch_file(tmp_path / "model.pt", state_dict(**tensors), {"0": FLOATS})
    assert len(load(path).tensors) == 60


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (tensor("1", 12, 0, [3], [1]), "missing"),
        (tensor("../../byteorder", 12, 0, [3], [1]), "missing"),
        (tensor("0", 13, 0, [3], [1]), "has 48 bytes, declared are 52"),
        (tensor("0", 2**80, 0, [3], [1]), "persistent id"),
        (storage("0", 12, "FancyStorage"), "'torch.FancyStorage'"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n)R", "without a storage"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n(NNNNtR", "without a storage"),
        (b"ctorch._utils\n_rebuild_parameter\n(NNNtR", "without a tensor"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage("0", 12) + b"NNNtR", "is given"),
        (b"ctorch._utils\n_rebuild_tensor_v3\n(" + storage("0", 12) + b"K\x00))NNNtR", "type"),
        (b"ctorch._tensor\n_rebuild_from_type_v2\n(NNNNtR", "unknown type"),
        (b"ctorch\nSize\n(NtR", "no tuple"),
    ],
)
def test_tensors_that_are_none_are_refused(tmp_path, value, words):
    refuse(tmp_path, state_dict(w=value), words, {"0": FLOATS})


def test_names_with_control_characters_are_shown_escaped(tmp_path):
    error = refuse(tmp_path, b"cos\x1b[31m\nsystem\n.", "wants to call")
    assert "\x1b" not in error.message
