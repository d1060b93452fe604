"""What is suggested is on the edge of chaos, and does what it says when it is drawn."""

import math
from itertools import pairwise

import numpy as np
import pytest

from fpcheck.core.errors import SpecError, UnsupportedOperationError, UsageError
from fpcheck.jobs.analyze import analyze
from fpcheck.jobs.suggest import suggest
from fpcheck.jobs.suggest.choice import branch_ends
from fpcheck.network.activations import activation
from fpcheck.network.spec import read_spec
from fpcheck.theory.variance_map import VarianceMap


def chain(tmp_path, name, depth=12, width=512, bias="", size=64):
    text = f"""
[network]
input = {size}
layers = [ {{ dense = {width}, activation = "{name}", repeat = {depth} }}, {{ dense = 10 }} ]
[init]
weights = "torch_default"
{bias}
"""
    path = tmp_path / "net.toml"
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize("name", ["tanh", "relu", "leaky_relu(0.2)", "elu", "selu", "gelu", "silu"])
def test_hidden_layers_stand_on_the_edge_of_chaos(name, tmp_path):
    rows = suggest(chain(tmp_path, name))["layers"]
    from fpcheck.network.activations import parse_activation

    f = parse_activation(name)
    for row in rows[1:-1]:
        v = VarianceMap(f, row["sigma_w2"], row["sigma_b2"])
        assert v.chi1(row["q"]) == pytest.approx(1.0, abs=1e-9)
        assert v(row["q"]) == pytest.approx(row["q"], rel=1e-9)


def test_relu_is_given_hes_scale_and_the_first_layer_keeps_the_inputs_size(tmp_path):
    rows = suggest(chain(tmp_path, "relu"))["layers"]
    assert [row["sigma_w2"] for row in rows[1:]] == [2.0] * 12
    assert rows[0]["sigma_w2"] == 1.0
    assert all(row["sigma_b2"] == 0.0 for row in rows)


@pytest.mark.parametrize("name", ["tanh", "elu", "erf", "hardtanh", "crelu(1.0364, 0.8095)"])
def test_the_trial_draw_is_flat_within_the_noise_of_its_width(name, tmp_path):
    document = suggest(chain(tmp_path, name, width=1024))
    # One layer spreads log q by sqrt(k / width), k at most about 12 for these functions; the
    # output has ten units, so its own spread is left out.
    ratios = [row["q_measured"] / row["q"] for row in document["layers"][:-1]]
    assert max(abs(math.log(ratio)) for ratio in ratios) < 5.0 * math.sqrt(12.0 / 1024)
    assert abs(np.mean(np.log(ratios))) < 0.1


def test_the_suggested_spec_is_judged_critical_and_the_old_one_was_not(tmp_path):
    path = chain(tmp_path, "tanh", depth=20)
    document = suggest(path)
    assert document["present"]["phase"] == "ordered"
    suggested = tmp_path / "suggested.toml"
    suggested.write_text(document["code"]["spec"], "utf-8")
    theory = analyze(suggested).document["signal"]["theory"]
    assert theory["phase"] == "critical"
    assert [row["q"] for row in theory["layers"]] == pytest.approx([1.0] * 21, abs=0.05)
    assert suggest(suggested)["present"]["phase"] == "critical"


def test_a_wished_point_of_the_edge_is_taken(tmp_path):
    path = chain(tmp_path, "tanh")
    (edge,) = suggest(path, sigma_b=0.05**0.5)["edges"]
    assert edge["q_star"] == pytest.approx(0.57004788, abs=5e-9)  # papers.md, section 3
    assert edge["sigma_w2"] == pytest.approx(1.76095464, abs=5e-9)
    (edge,) = suggest(path, q_star=1.31793900)["edges"]
    assert edge["sigma_b2"] == pytest.approx(0.25, abs=1e-7)


def test_wishes_that_cannot_be_met_are_errors(tmp_path):
    path = chain(tmp_path, "softplus")
    with pytest.raises(UsageError, match="no point on the edge"):
        suggest(path, q_star=1.0)
    with pytest.raises(UsageError, match="exclude"):
        suggest(path, q_star=1.0, sigma_b=0.1)
    with pytest.raises(UsageError, match="positive"):
        suggest(path, q_star=0.0)
    with pytest.raises(UsageError, match="unknown method"):
        suggest(path, method="magic")


def test_swish_is_told_to_hold_q_slowly_and_from_which_biases_on(tmp_path):
    (edge,) = suggest(chain(tmp_path, "silu"))["edges"]
    assert edge["stable"] is True
    assert 0.95 < edge["slope"] < 1.0
    assert "no point is stable" in edge["note"]
    assert edge["sigma_b2"] > 0.25  # papers.md: every point with sigma_b <= 0.5 is unstable


def test_softplus_has_no_edge_and_is_told_so(tmp_path):
    (edge,) = suggest(chain(tmp_path, "softplus"))["edges"]
    assert "no edge of chaos" in edge["note"]


def test_orthogonal_gains_give_the_same_sigma_w2(tmp_path):
    document = suggest(chain(tmp_path, "tanh", width=128, depth=4), method="orthogonal")
    path = tmp_path / "orthogonal.toml"
    path.write_text(document["code"]["spec"], "utf-8")
    assert 'law = "orthogonal"' in document["code"]["spec"]
    rows = analyze(path).document["signal"]["theory"]["layers"]
    for row, wanted in zip(rows, document["layers"], strict=True):
        assert row["sigma_w2"] == pytest.approx(wanted["sigma_w2"], rel=1e-6)


def test_lsuv_gives_every_pre_activation_unit_variance(tmp_path):
    """By hand: orthonormal weights, each layer scaled on the batch before the next one sees it."""
    document = suggest(chain(tmp_path, "tanh", width=256, depth=6), method="lsuv")
    path = tmp_path / "lsuv.toml"
    path.write_text(document["code"]["spec"], "utf-8")
    measured = analyze(path, settings=None).document["signal"]["measured"]["layers"]
    # Other orthonormal matrices with these scales: within the noise of width 256.
    assert [row["q"] for row in measured[:-1]] == pytest.approx([1.0] * 6, rel=0.25)


def test_a_residual_stream_grows_by_no_more_than_e(tmp_path):
    text = """
[network]
input = 64
layers = [
  { dense = 256 },
  { repeat = 10, residual = [
    { activation = "relu" }, { dense = 256, activation = "relu" }, { dense = 256 } ] },
  { activation = "relu" },
  { dense = 5 },
]
"""
    path = tmp_path / "net.toml"
    path.write_text(text, "utf-8")
    ends = branch_ends(read_spec(path).skeleton)
    assert len(ends) == 10
    assert {count for _, count in ends.values()} == {10}
    document = suggest(path)
    by_name = {row["name"]: row for row in document["layers"]}
    stream = [by_name[beside]["q"] for beside, _ in ends.values() if beside in by_name]
    assert stream[0] == pytest.approx(1.0, rel=0.1)
    added = [by_name[end]["q"] for end in ends]
    assert all(b == pytest.approx(a * 1.1, rel=1e-9) for a, b in pairwise(added))


def test_a_norm_behind_a_layer_makes_its_scale_free(tmp_path):
    text = """
[network]
input = 32
layers = [
  { dense = 128 }, { norm = "layer", activation = "tanh" },
  { dense = 128 }, { norm = "batch", activation = "tanh" }, { dense = 5 },
]
"""
    path = tmp_path / "net.toml"
    path.write_text(text, "utf-8")
    rows = suggest(path)["layers"]
    assert "norm" in rows[0]["note"]
    assert "norm" in rows[1]["note"]


def test_layers_without_biases_get_none(tmp_path):
    arrays = {
        f"layers.{i}.weight": np.random.default_rng(i).normal(size=(32, 32)) for i in range(3)
    }
    np.savez(tmp_path / "net.npz", **arrays)
    document = suggest(tmp_path / "net.npz", activation="tanh")
    assert all(row["sigma_b2"] == 0.0 and not row["biases"] for row in document["layers"])
    (edge,) = document["edges"]
    assert edge["q_star"] == 0.0
    assert edge["sigma_w2"] == pytest.approx(1.0)


def test_inputs_of_another_size_are_met_by_the_first_layer(tmp_path):
    np.savez(tmp_path / "data.npz", X=np.random.default_rng(0).normal(0.0, 0.1, (300, 64)))
    document = suggest(chain(tmp_path, "tanh"), data=tmp_path / "data.npz")
    first = document["layers"][0]
    expected = (first["q"] - first["sigma_b2"]) / first["sigma_w2"]
    assert expected == pytest.approx(0.01, rel=0.05)
    assert first["q_measured"] == pytest.approx(first["q"], rel=0.3)


def test_the_same_seed_suggests_the_same(tmp_path):
    path = chain(tmp_path, "gelu", width=64)
    assert suggest(path) == suggest(path)


def test_a_checkpoint_without_a_graph_says_what_is_missing(tmp_path):
    np.savez(tmp_path / "net.npz", w0=np.eye(8), w1=np.eye(8))
    with pytest.raises((UnsupportedOperationError, SpecError)) as caught:
        suggest(tmp_path / "net.npz")
    assert caught.value.hint


def test_a_dead_entrance_is_no_division_by_zero(tmp_path):
    np.savez(tmp_path / "data.npz", X=np.zeros((50, 64)))
    document = suggest(chain(tmp_path, "relu", width=16, depth=2), data=tmp_path / "data.npz")
    assert "nothing enters" in document["layers"][0]["note"]


def test_inputs_whose_squares_underflow_leave_scales_that_a_spec_can_draw(tmp_path):
    path = tmp_path / "net.toml"
    layers = '{ dense = 8, activation = "softplus" },\n{ dense = 2 },'
    law = '[inputs]\nlaw = "normal"\nmean = 0.0\nstd = 1e-200\n'
    path.write_text(f"[network]\ninput = 4\nlayers = [\n{layers}\n]\n{law}")
    rows = suggest(path)["layers"]
    assert all(row["sigma_w2"] > 0.0 for row in rows)


def test_present_scales_that_overflow_are_no_warning(tmp_path):
    path = tmp_path / "net.toml"
    layers = '{ dense = 7, activation = "soft_threshold(0.7)", repeat = 10 }, { dense = 1 }'
    law = '[init]\nweights = { law = "normal", sigma2 = 2.0, scale = "1/sqrt(fan_in)" }\n'
    path.write_text(f"[network]\ninput = 64\nlayers = [ {layers} ]\n{law}")
    assert suggest(path)["layers"]


def test_a_step_keeps_q_alone():
    from fpcheck.jobs.suggest.edges import edges

    edge = edges(None, None)(activation("step", {}), True)
    assert edge.sigma_w2 == pytest.approx(2.0)
    assert "step" in edge.note
