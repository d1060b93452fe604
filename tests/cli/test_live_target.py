"""`fpcheck analyze package.module:factory` imports what the user named, and nothing else does."""

import json
import sys

import pytest

from fpcheck.cli.main import run

MODULE = """
import numpy as np
print("printed while importing")

def factory():
    def f(x):
        print("printed while running")
        return np.tanh(1.5 * x)
    return f

def f(x):
    return np.tanh(0.5 * x)

class Holder:
    inner = staticmethod(f)

def fails():
    raise RuntimeError("no luck")

def leaves():
    raise SystemExit(3)

def interrupted():
    raise KeyboardInterrupt

three = 3
"""
SMALL = ["--starts", "32", "--threads", "1"]


@pytest.fixture
def fpcheck(capsys, tmp_path, monkeypatch):
    """Runs a command line in a folder with a module of the user's, whose name it gives."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    module = f"live_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{module}.py").write_text(MODULE)
    (tmp_path / "broken_module.py").write_text("import a_module_that_is_not_there\n")

    def command_line(target, *arguments):
        code = run(["analyze", target.replace("MODULE", module), *arguments, *SMALL])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    yield command_line
    for name in (module, "broken_module"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("name", ["factory", "f", "Holder.inner"])
def test_a_target_is_a_factory_or_the_function_itself(fpcheck, name):
    code, out, err = fpcheck(f"MODULE:{name}", "--input-shape", "2", "-f", "json")
    assert code == 0
    document = json.loads(out)  # what the module prints is not in it
    assert document["subject"]["name"].endswith(f":{name}")
    assert document["subject"]["format"] == "callable"
    assert "printed while importing" in err


def test_a_torch_module_needs_no_shape(fpcheck, tmp_path):
    pytest.importorskip("torch")
    (tmp_path / "torch_models.py").write_text(
        "from torch.nn import Linear, Sequential, Tanh\nmake = Sequential(Linear(3, 3), Tanh())\n"
    )
    code, out, _ = fpcheck("torch_models:make", "-f", "json")
    sys.modules.pop("torch_models")
    assert code == 0
    assert json.loads(out)["subject"]["format"] == "torch"


def test_a_configured_live_model_is_analyzed_where_none_is_named(capsys, tmp_path, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "configured_nets.py").write_text(
        "from torch.nn import GRU, Linear\ndef one():\n    return GRU(2, 3)\ntwo = Linear(3, 3)\n"
    )
    (tmp_path / "fpcheck.toml").write_text(
        'models = ["configured_nets:one", "configured_nets:two"]\n'
    )
    code = run(["analyze", "-o", "json={name}.json", *SMALL])
    sys.modules.pop("configured_nets")
    assert code == 0
    reports = [json.loads(path.read_text()) for path in sorted(tmp_path.glob("*.json"))]
    assert [report["subject"]["name"] for report in reports] == [
        "configured_nets:one",
        "configured_nets:two",
    ]
    assert reports[0]["attractors"]["maps"][0]["name"] == "l0"


ERRORS = {
    "MODULE:fails": "the factory raises RuntimeError: no luck",
    "MODULE:leaves": "the factory raises SystemExit: 3",
    "MODULE:absent": "there is no 'absent'",
    "MODULE:three": "it gives an int",
    "MODULE:f": "the shape of its input is needed",
    "not_there_at_all:make": "raises ModuleNotFoundError: No module named 'not_there_at_all'",
    "broken_module:make": "No module named 'a_module_that_is_not_there'",
}


@pytest.mark.parametrize("target", ERRORS)
def test_an_error_names_the_target_and_says_what_to_do(fpcheck, target):
    code, out, err = fpcheck(target)
    assert code == 2
    assert out == ""
    assert ERRORS[target] in err
    assert target.split(":")[1] in err
    assert "hint:" in err


def test_a_keyboard_interrupt_is_one(fpcheck):
    code, _, _ = fpcheck("MODULE:interrupted")
    assert code == 130


@pytest.mark.parametrize("text", ["3,a", "0", "", "-1", "3x3"])
def test_an_input_shape_that_is_none_is_refused(fpcheck, text):
    code, _, err = fpcheck("MODULE:f", f"--input-shape={text}")
    assert code == 2
    assert "shape" in err


def test_a_file_is_never_imported(fpcheck, tmp_path):
    (tmp_path / "live_file:make").write_bytes(b"no model")
    (tmp_path / "live_file.py").write_text("raise SystemExit('imported')\n")
    code, _, err = fpcheck("live_file:make")
    assert code == 2
    assert "suffix" in err
    assert "live_file" not in sys.modules


@pytest.mark.parametrize("path", ["folder/name:thing", "model.pt:", "C:\\nets\\model.pt", ":make"])
def test_what_has_not_the_form_of_a_target_is_a_path(fpcheck, path):
    code, _, err = fpcheck(path)
    assert code == 2
    assert "importing" not in err
