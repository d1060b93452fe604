import numpy as np
import pytest

from fpcheck.network.activations import activation
from fpcheck.network.layers import layers
from fpcheck.network.skeleton import Activation, Conv, Dense, Flatten, Input, Pool, Skeleton
from fpcheck.theory.inference_saving import inference_saving, multiplications

RELU = activation("relu")


def dense_chain(width, depth):
    nodes = [Input("x", (width,))]
    for i in range(depth):
        nodes.append(Dense(f"d{i}", (nodes[-1].name,), width, f"w{i}"))
        if i + 1 < depth:
            nodes.append(Activation(f"a{i}", (f"d{i}",), RELU))
    return Skeleton(tuple(nodes))


def test_a_chain_of_equal_layers_saves_the_sparsity_of_all_but_the_first():
    saving = inference_saving(dense_chain(30, 10), 0.85)
    assert saving.multiplications == 10 * 30 * 30
    assert saving.share == pytest.approx(0.85 * 9 / 10)
    assert saving.layers[0].skipped == 0.0
    assert saving.layers[1].skipped == pytest.approx(0.85 * 900)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation", "groups"),
    [
        ((3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 1),
        ((3, 3), (2, 2), ((1, 0), (2, 1)), (1, 1), 2),
        ((3, 2), (1, 2), ((2, 2), (0, 0)), (2, 1), 1),
    ],
)
def test_multiplications_of_a_convolution_are_those_that_meet_the_picture(
    kernel, stride, padding, dilation, groups
):
    conv = Conv("c", ("x",), 6, kernel, "w", None, stride, padding, dilation, groups)
    (layer,) = layers(Skeleton((Input("x", (4, 7, 8)), conv)))
    # Counted by hand: a picture of ones under a kernel of ones gives, everywhere, its products.
    picture = np.pad(np.ones((7, 8)), padding)
    total = 0
    for i in range(layer.shape[1]):
        for j in range(layer.shape[2]):
            y, x = i * stride[0], j * stride[1]
            rows = slice(y, y + dilation[0] * (kernel[0] - 1) + 1, dilation[0])
            total += int(
                picture[rows, x : x + dilation[1] * (kernel[1] - 1) + 1 : dilation[1]].sum()
            )
    assert multiplications(layer) == total * 6 * (4 // groups)


def test_only_layers_that_an_activation_feeds_are_counted():
    skeleton = Skeleton(
        (
            Input("x", (2, 8, 8)),
            Conv("c0", ("x",), 5, (3, 3), "w0"),
            Activation("a0", ("c0",), RELU),
            Conv("c1", ("a0",), 5, (3, 3), "w1"),
            Activation("a1", ("c1",), RELU),
            Flatten("f", ("a1",)),
            Dense("d0", ("f",), 7, "w2"),
            Dense("d1", ("d0",), 3, "w3"),
        )
    )
    saving = inference_saving(skeleton, 0.6)
    shares = {layer.name: layer.skipped / layer.multiplications for layer in saving.layers}
    assert shares == pytest.approx({"c0": 0.0, "c1": 0.6, "d0": 0.6, "d1": 0.0})
    assert saving.skipped == pytest.approx(saving.share * saving.multiplications)


def test_a_pooled_activation_is_not_taken_for_sparse():
    skeleton = Skeleton(
        (
            Input("x", (2, 8, 8)),
            Conv("c0", ("x",), 5, (3, 3), "w0"),
            Activation("a0", ("c0",), RELU),
            Pool("p", ("a0",), "max", (2, 2), (2, 2)),
            Conv("c1", ("p",), 5, (3, 3), "w1"),
        )
    )
    assert inference_saving(skeleton, 0.6).share == 0.0


def test_the_share_is_that_of_products_with_zero_in_a_random_layer():
    rng = np.random.default_rng(0)
    h = rng.standard_normal((200, 400))
    zero = activation("crelu", {"tau": 1.0364333894937898, "m": 1.0}).phi(h) == 0.0
    # Every input is used by every unit, so the share of zero products is that of zero inputs.
    assert zero.mean() == pytest.approx(0.85, abs=4.0 * np.sqrt(0.85 * 0.15 / h.size))
