"""Named variants against the laws that PyTorch draws from."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from fpcheck.network.initializers import NAMED_LAWS, draw_law, parse_law, second_moment

torch = pytest.importorskip("torch")


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


TORCH = {
    "he_normal": torch.nn.init.kaiming_normal_,
    "he_uniform": torch.nn.init.kaiming_uniform_,
    "glorot_normal": torch.nn.init.xavier_normal_,
    "glorot_uniform": torch.nn.init.xavier_uniform_,
    "torch_default": lambda w: torch.nn.init.kaiming_uniform_(w, a=math.sqrt(5)),
}


@pytest.mark.parametrize("name", TORCH)
def test_named_variants_are_distributed_as_pytorch_draws_them(name):
    torch.manual_seed(0)
    theirs = TORCH[name](torch.empty(300, 100, 3)).double().numpy().ravel()
    ours = draw_law(parse_law(name), (300, 100, 3), 300, 900, rng()).ravel()
    assert stats.ks_2samp(ours, theirs).statistic < 1.95 * math.sqrt(2 / ours.size)
    if name.endswith("uniform"):
        assert_allclose(np.abs(ours).max(), np.abs(theirs).max(), rtol=1e-3)


def test_torch_default_is_the_law_of_a_linear_module_s_weight_and_bias():
    torch.manual_seed(0)
    module = torch.nn.Linear(64, 20_000)
    law = NAMED_LAWS["torch_default"]
    bias = draw_law(law, (20_000,), 64, 20_000, rng())
    assert stats.ks_2samp(bias, module.bias.detach().numpy()).statistic < 1.95 * math.sqrt(1e-4)
    assert np.abs(bias).max() <= 1 / 8
    assert_allclose(second_moment(law, 64, 20_000), 1 / (3 * 64), rtol=1e-15)
