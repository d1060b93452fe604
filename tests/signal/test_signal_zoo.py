"""Eight networks of known fate at width 256, as specs and as the bare checkpoints they write."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
import pytest

from fpcheck.core.limits import effective_limits
from fpcheck.core.plain import plain
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.core.streams import random_stream
from fpcheck.network.load import load
from fpcheck.signal.measure import measure
from fpcheck.signal.rules import judge

# name: activation, layers of 256, sigma_w, constant bias, codes of errors and warnings, phase
ZOO = MappingProxyType(
    {
        "good": ("relu", 20, 2.0**0.5, 0.0, set(), "critical"),
        "vanishes": ("relu", 20, 0.5, 0.0, {"FP101", "FP104"}, "ordered"),
        "explodes": ("relu", 20, 3.0, 0.0, {"FP102", "FP105"}, "chaotic"),
        "ordered": ("tanh", 20, 0.5, 0.0, {"FP101", "FP104"}, "ordered"),
        "ordered by biases": ("tanh", 20, 0.5, 0.2, {"FP103", "FP104"}, "ordered"),
        "chaotic": ("tanh", 20, 4.0, 0.0, {"FP103", "FP105"}, "chaotic"),
        "good, deep": ("relu", 50, 2.0**0.5, 0.0, set(), "critical"),
        "gelu vanishes": ("gelu", 20, 2.0**0.5, 0.0, {"FP101"}, "ordered"),
        "dead": ("relu", 3, 2.0**0.5, -100.0, {"FP101", "FP104", "FP106"}, None),
    }
)


def spec(function, layers, sigma_w, bias):
    sigma2 = sigma_w**2
    biases = "zeros"
    if bias > 0.0:
        biases = f'{{ law = "normal", sigma2 = {bias**2} }}'
    if bias < 0.0:
        biases = f'{{ law = "uniform", low = {bias - 1e-3}, high = {bias + 1e-3} }}'
    return f"""
[network]
input = 256
layers = [
  {{ dense = 256, activation = "{function}", repeat = {layers - 1} }},
  {{ dense = 256 }},
]
[init]
weights = {{ law = "normal", sigma2 = {sigma2!r}, scale = "1/sqrt(fan_in)" }}
biases = {biases if biases.startswith("{") else f'"{biases}"'}
"""


def judged(subject):
    x = np.random.default_rng(1).standard_normal((128, 256))
    rng = random_stream(0, "signal")
    laws = subject.layer_laws or None
    result = measure(subject.network, x, "draws", Settings(), rng, Monitor(), laws)
    section = plain(result)
    return section, judge(section, effective_limits({}))


def alarms(findings):
    return {f.code for f in findings if f.outcome == "fail" and f.severity != "info"}


@pytest.mark.parametrize("name", ZOO)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_verdict_is_right_as_a_spec_and_as_a_bare_checkpoint(tmp_path, name, seed):
    function, layers, sigma_w, bias, codes, phase = ZOO[name]
    path = tmp_path / "net.toml"
    path.write_text(spec(function, layers, sigma_w, bias), "utf-8")
    drawn = load(path, seed=seed)
    np.savez(tmp_path / "net.npz", **drawn.tensors)
    bare = load(tmp_path / "net.npz", activation=function)
    for subject in (drawn, bare):
        section, findings = judged(subject)
        assert alarms(findings) == codes
        if phase is not None:
            assert section["theory"]["phase"] == phase


def test_the_dead_network_is_named_at_its_first_layer(tmp_path):
    (tmp_path / "net.toml").write_text(spec(*ZOO["dead"][:4]), "utf-8")
    subject = load(tmp_path / "net.toml")
    _, findings = judged(subject)
    first = subject.network.skeleton.nodes[1].name
    (dead, *_) = [f for f in findings if f.code == "FP106"]
    assert dead.where == f"layer {first}"
    assert dead.message.startswith("256 of 256 units")


def test_a_vanishing_gelu_is_told_where_it_is_bound(tmp_path):
    (tmp_path / "net.toml").write_text(spec(*ZOO["gelu vanishes"][:4]), "utf-8")
    _, findings = judged(load(tmp_path / "net.toml"))
    (found,) = [f for f in findings if f.code == "FP101"]
    assert "bound for 0" in found.message
    assert "V'(0) = 0.5" in found.message
    (gain,) = [f for f in findings if f.code == "FP113"]
    assert (gain.outcome, gain.found > 10.0) == ("fail", True)
