"""The ladder: closed forms of each rung, no proof where there are two points, exact rounding."""

from fractions import Fraction
from math import prod

import numpy as np
import pytest
from uniqueness_maps import QUIET, one_layer, random_chain, random_weights, residual

from fpcheck.attractors.uniqueness import prove_unique
from fpcheck.attractors.uniqueness.norms import lipschitz_upper
from fpcheck.attractors.uniqueness.sector import multipliers, verified
from fpcheck.attractors.uniqueness.slopes import narrowed
from fpcheck.attractors.uniqueness.stacked import outer_slopes, stacked
from fpcheck.network.activations import ACTIVATIONS, parse_activation
from fpcheck.network.enclosure.matrices import point
from fpcheck.network.network import Network
from fpcheck.network.program import forward, trace
from fpcheck.network.recurrent import gru_cell
from fpcheck.network.skeleton import Activation, Add, Dense, Input, Skeleton

# The search ends within a thousandth of the best gain or a little more.
SEARCH_GAP = 0.02
NAMES = {"crelu": "crelu(0.5, 1)", "cst": "cst(0.5, 1)", "shifted_relu": "shifted_relu(0.5)",
         "soft_threshold": "soft_threshold(0.5)"}  # fmt: skip


def gain_of(weight, low, high, *, search=True):
    n = len(weight)
    found = multipliers(
        point(weight), np.full(n, low), np.full(n, high), QUIET, search=search, target=np.inf
    )
    return found.gain


@pytest.mark.parametrize("a", [0.2, 0.9, 0.9999999])
def test_tanh_of_less_than_its_argument_has_one_fixed_point(a):
    assert prove_unique(one_layer([[a]]).program, QUIET).status == "proved"


@pytest.mark.parametrize("a", [1.0, 1.0000001, 2.0])
def test_tanh_of_its_argument_or_more_is_never_proved_unique(a):
    assert prove_unique(one_layer([[a]]).program, QUIET).status == "unknown"


def test_a_decreasing_map_has_one_fixed_point_whatever_its_gain():
    """x = tanh(-50 x): the norm says nothing, the monotone condition everything."""
    proof = prove_unique(one_layer(-50.0 * np.eye(3)).program, QUIET)
    assert (proof.status, proof.method, proof.contraction) == ("proved", "monotone", False)
    assert proof.lipschitz_upper == pytest.approx(50.0, rel=1e-9)


def test_one_fixed_point_of_a_network_with_a_skip_need_not_attract():
    """z = tanh(-0.9 x), f(x) = z + tanh(0.9 z - 0.9 x). At x = f(x) the second argument is
    -0.9 times the second term, so that W is [[-0.9, -0.9], [0, -0.9]], but f'(0) = -2.61."""
    gain = np.array([[-0.9]])
    nodes = (
        Input("x", (1,)),
        Dense("first", ("x",), 1, "down"),
        Activation("z", ("first",), parse_activation("tanh")),
        Dense("up", ("z",), 1, "up"),
        Dense("down", ("x",), 1, "down"),
        Add("both", ("up", "down")),
        Activation("second", ("both",), parse_activation("tanh")),
        Add("sum", ("z", "second")),
    )
    program = Network(Skeleton(nodes), {"down": gain, "up": -gain}).program
    proof = prove_unique(program, QUIET)
    assert (proof.status, proof.contraction) == ("proved", False)
    assert proof.method == "norm of all activations as one layer"
    away = np.array([[0.1]])
    assert abs(forward(program, away)) > 2.4 * away


def test_skew_weights_have_one_fixed_point_whatever_their_size():
    skew = np.triu(np.random.default_rng(0).standard_normal((6, 6)), 1)
    skew = 30.0 * (skew - skew.T)
    # lambda_max of the symmetric part is 0: the value is at rounding level.
    proof = prove_unique(one_layer(skew).program, QUIET)
    assert proof.method == "monotone"


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_weighted_norm_of_positive_weights_is_their_spectral_radius(seed):
    """min over D of ||D W D^-1||_2 = rho(W) for W > 0 [Perron, Frobenius; Stoer, Witzgall 1962]."""
    weight = np.random.default_rng(seed).uniform(0.1, 3.0, (7, 7)) ** 3
    radius = np.abs(np.linalg.eigvals(weight)).max()
    for low in (-1.0, 0.0):  # of an M-matrix I - W the scaled monotone condition is no weaker
        gain = gain_of(weight, low, 1.0)
        assert 1.0 - SEARCH_GAP < gain * radius <= 1.0 + 1e-6


def test_rungs_reach_further_one_after_the_other():
    """Gains that each rung certifies at n = 10: 0.62, 0.76, 0.82, 0.96 were measured elsewhere."""
    reached = []
    for seed in range(8):
        weight = random_weights(10, seed, 1.0)
        norm = 1.0 / np.linalg.norm(weight, 2)
        weighted, monotone = gain_of(weight, -1.0, 1.0), gain_of(weight, 0.0, 1.0, search=False)
        scaled = gain_of(weight, 0.0, 1.0)
        assert norm <= weighted * (1 + 1e-6)
        assert monotone <= scaled * (1 + 1e-6)
        assert weighted <= scaled * (1 + SEARCH_GAP)
        reached.append((norm, weighted, monotone, scaled))
    means = np.mean(reached, axis=0)
    assert (means > [0.5, 0.57, 0.72, 0.84]).all()


def test_gain_of_multipliers_cannot_be_bettered_by_a_local_search():
    weight = random_weights(8, 3, 1.0)
    found = multipliers(point(weight), np.zeros(8), np.ones(8), QUIET, target=np.inf)
    rng = np.random.default_rng(1)
    best, gain = np.log(found.diagonal), found.gain
    for scale in np.geomspace(0.3, 1e-4, 400):
        moved = best + scale * rng.standard_normal(8)
        d = np.exp(moved)
        form = d[:, None] * weight + (d[:, None] * weight).T
        root = np.sqrt(d)
        reached = 2.0 / np.linalg.eigvalsh(form / root[:, None] / root)[-1]
        if reached > gain:
            best, gain = moved, reached
    assert gain <= found.gain * (1.0 + SEARCH_GAP)


@pytest.mark.parametrize("seed", range(6))
def test_verified_multipliers_pass_sylvester_s_test_in_exact_fractions(seed):
    weight = random_weights(5, seed, 0.7)
    found = multipliers(point(weight), np.zeros(5), np.ones(5), QUIET)
    assert found.proved
    d = [Fraction(x) for x in found.diagonal]
    w = [[Fraction(x) for x in row] for row in weight]
    form = [
        [(i == j) * 2 * d[i] - d[i] * w[i][j] - d[j] * w[j][i] for j in range(5)] for i in range(5)
    ]
    assert all(minor > 0 for minor in leading_minors(form))


def test_nothing_is_verified_at_the_border_itself():
    """D (I - W) + its transpose with an eigenvalue 0, and one within rounding of 0."""
    ones = np.ones(2)
    for corner in (1.0, 1.0 - 2.0**-50):
        weight = np.array([[corner, 0.0], [0.0, 0.3]])
        assert not verified(point(weight), np.zeros(2), ones, ones)
    assert verified(point(np.diag([1.0 - 2.0**-40, 0.3])), np.zeros(2), ones, ones)


@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_no_map_with_two_fixed_points_is_proved_unique(n):
    proved = 0
    for seed in range(60):
        gain = np.random.default_rng(seed).uniform(0.3, 2.0)
        bias = 0.05 * np.random.default_rng(seed + 1).standard_normal(n)
        weight = random_weights(n, seed, gain)
        if prove_unique(one_layer(weight, bias).program, QUIET).status == "proved":
            proved += 1
            assert len(newton_points(weight, bias)) == 1
    assert proved >= 15


@pytest.mark.slow
def test_no_map_with_two_fixed_points_is_proved_unique_in_many_networks():
    for seed in range(3000):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(1, 9))
        weight, bias = random_weights(n, seed, rng.uniform(0.3, 2.0)), 0.1 * rng.standard_normal(n)
        if prove_unique(one_layer(weight, bias).program, QUIET).status == "proved":
            assert len(newton_points(weight, bias)) == 1


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name != "step"])
def test_slope_ranges_hold_every_difference_quotient(name):
    function = parse_activation(NAMES.get(name, name))
    low, high = outer_slopes(function)
    x = np.linspace(-9.0, 9.0, 4001)
    quotients = np.diff(function.phi(x)) / np.diff(x)
    # Differences of rounded values over steps of 0.0045.
    assert quotients.min() >= low - 1e-11
    assert quotients.max() <= high + 1e-11


@pytest.mark.parametrize(
    "network",
    [
        random_chain([4, 6, 3, 4], 1, 1.0),
        random_chain([4, 6, 4], 2, 1.0, last="identity"),
        random_chain([3, 5, 5, 3], 3, 0.8, "leaky_relu", last="gelu"),
        residual(random_weights(4, 1, 1.0), random_weights(4, 2, 0.4), np.full(4, 0.2)),
    ],
)
def test_fixed_points_solve_the_stacked_layer(network):
    """z = phi(W z + c) with z the activations' values at a fixed point."""
    layer = stacked(network.program)
    x = np.zeros((1, network.program.input_size))
    for _ in range(400):
        x = 0.7 * x + 0.3 * forward(network.program, x)
    values = trace(network.program, x)
    names = [node.name for node in network.skeleton.nodes if isinstance(node, Activation)]
    if len(layer.functions) > len(names):
        names.append(network.skeleton.nodes[-1].name)
    z = np.concatenate([values[name][0] for name in names])
    inner = layer.weight.mid @ z + layer.offset.mid
    parts = np.split(inner, np.cumsum(layer.sizes)[:-1])
    phi = [function.phi(part) for function, part in zip(layer.functions, parts, strict=True)]
    np.testing.assert_allclose(np.concatenate(phi), z, atol=1e-9)


def test_a_linear_last_layer_is_folded_into_the_first():
    """V tanh(U x) has the fixed points of tanh(U V z): W is U V, whatever the norms of U and V."""
    rng = np.random.default_rng(5)
    u, v = rng.standard_normal((3, 3)), rng.standard_normal((3, 3))
    network = random_chain([3, 3, 3], 0, 1.0, last="identity", bias=0.0)
    network.parameters["w0"][:], network.parameters["w1"][:] = u, v
    np.testing.assert_allclose(stacked(network.program).weight.mid, u @ v, rtol=1e-14)


def test_an_affine_map_has_one_fixed_point_if_it_has_no_eigenvalue_one():
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    assert prove_unique(one_layer(7.0 * turn, [1, 2], "identity").program, QUIET).status == "proved"
    assert prove_unique(one_layer(np.diag([3.0, 1.0]), name="identity").program, QUIET).status == (
        "unknown"
    )


@pytest.mark.parametrize("seed", range(4))
def test_lipschitz_bound_holds_between_random_points(seed):
    networks = [
        random_chain([5, 9, 5], seed, 2.0, "gelu", last="identity"),
        random_chain([5, 9, 7, 5], seed, 2.0, "leaky_relu(0.2)", last="sin"),
        residual(random_weights(5, seed, 2.0), random_weights(5, seed + 9, 1.0), np.zeros(5)),
    ]
    rng = np.random.default_rng(seed)
    for network in networks:
        bound, _ = lipschitz_upper(network.program)
        x, y = rng.standard_normal((2, 4000, 5)) * 0.3
        moved = np.linalg.norm(forward(network.program, x) - forward(network.program, y), axis=1)
        ratio = (moved / np.linalg.norm(x - y, axis=1)).max()
        assert ratio <= bound
        assert bound <= 20 * ratio


def test_lipschitz_bound_of_a_chain_is_the_product_of_its_norms():
    network = random_chain([6, 8, 5, 6], 4, 1.3)
    norms = prod(np.linalg.norm(network.parameters[f"w{i}"], 2) for i in range(3))
    bound, reason = lipschitz_upper(network.program)
    assert norms <= bound <= norms * (1.0 + 1e-9)
    assert reason == ""


def test_large_biases_leave_only_small_slopes():
    """Units that saturate wherever a fixed point can be prove what the weights alone cannot."""
    weight = random_weights(6, 1, 1.5)
    bias = np.full(6, 6.0)
    proof = prove_unique(one_layer(weight, bias).program, QUIET)
    assert proof.status == "proved"
    assert proof.method.endswith("slopes at fixed points")
    assert prove_unique(one_layer(weight).program, QUIET).status == "unknown"
    assert len(newton_points(weight, bias)) == 1


def test_narrowed_slopes_hold_those_at_every_fixed_point():
    weight, bias = random_weights(5, 7, 2.5), np.random.default_rng(0).standard_normal(5)
    layer = narrowed(stacked(one_layer(weight, bias).program))
    points = newton_points(weight, bias)
    slopes = 1.0 - np.tanh(weight @ np.array(points).T + bias[:, None]) ** 2
    assert (slopes.T - layer.low >= -1e-12).all()
    assert (slopes.T - layer.high <= 1e-12).all()


def test_gates_have_no_rung_but_their_jacobians_on_a_ball():
    rng = np.random.default_rng(0)
    quiet = gru_cell(
        "cell", 0.05 * rng.standard_normal((9, 3)), rng.standard_normal(9), input_size=1
    )
    proof = prove_unique(quiet.network.program, QUIET)
    assert proof.rungs[0].value is None
    assert "Multiply" in proof.rungs[0].note
    assert proof.method == "regular Jacobians on the invariant ball"


def leading_minors(matrix):
    """By fraction-exact elimination: products of the pivots."""
    rows, minor, minors = [list(row) for row in matrix], Fraction(1), []
    for k in range(len(rows)):
        minor *= rows[k][k]
        minors.append(minor)
        if rows[k][k] == 0:
            break
        for i in range(k + 1, len(rows)):
            factor = rows[i][k] / rows[k][k]
            rows[i] = [a - factor * b for a, b in zip(rows[i], rows[k], strict=True)]
    return minors


def newton_points(weight, bias, starts=400):
    """Distinct roots of x - tanh(W x + b) that plain Newton steps from random starts reach."""
    n = len(weight)
    x = np.random.default_rng(0).uniform(-1.0, 1.0, (starts, n))
    for _ in range(60):
        y = np.tanh(x @ weight.T + bias)
        jac = np.eye(n) - (1.0 - y * y)[:, :, None] * weight
        step = np.linalg.solve(jac + 1e-14 * np.eye(n), (y - x)[:, :, None])[:, :, 0]
        x = np.clip(x + step, -3.0, 3.0)
    good = x[np.abs(np.tanh(x @ weight.T + bias) - x).max(axis=1) < 1e-10]
    found = []
    for each in good:
        if not any(np.abs(each - other).max() < 1e-6 for other in found):
            found.append(each)
    return found
