"""Every law as a transform of normal coordinates, by its distribution function in mpmath."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest

from fpcheck.network.initializers import FAMILIES, parse_law
from fpcheck.simplicity.latent import entries, latents_an_entry

Z = np.array([-8.0, -5.5, -3.0, -1.0, -0.3, -1e-8, 0.0, 0.2, 1.5, 4.0, 6.5, 8.0])


def normal_cdf(z):
    return mpmath.erfc(-mpmath.mpf(z) / mpmath.sqrt(2)) / 2


def truncated_cdf(x, cut, sigma2):
    mass = mpmath.erf(mpmath.mpf(cut) / mpmath.sqrt(2))
    density = mpmath.exp(-(mpmath.mpf(cut) ** 2) / 2) / mpmath.sqrt(2 * mpmath.pi)
    u = x / mpmath.sqrt(sigma2 / (1 - 2 * cut * density / mass))
    return (normal_cdf(u) - normal_cdf(-cut)) / mass


def student_cdf(x, df):
    if x > 0:
        return 1 - student_cdf(-x, df)
    tail = mpmath.betainc(df / 2, 0.5, 0, df / (df + x * x), regularized=True)
    return tail / 2


CDFS = {
    "normal": ({"sigma2": 2.5}, lambda x: normal_cdf(x / mpmath.sqrt(2.5))),
    "uniform": ({"low": -2.0, "high": 3.0}, lambda x: (x + 2) / 5),
    "laplace": (
        {"sigma2": 2.0},
        lambda x: mpmath.exp(x) / 2 if x < 0 else 1 - mpmath.exp(-x) / 2,
    ),
    "cauchy": ({"gamma": 0.5}, lambda x: mpmath.mpf(1) / 2 + mpmath.atan(2 * x) / mpmath.pi),
    "student_t": ({"df": 3.0, "sigma": 1.0}, lambda x: student_cdf(x, mpmath.mpf(3))),
    "truncated_normal": (
        {"sigma2": 1.5, "cut": 2.0},
        lambda x: truncated_cdf(x, mpmath.mpf(2), mpmath.mpf(3) / 2),
    ),
}


@pytest.mark.parametrize("family", CDFS)
def test_an_entry_lies_where_its_law_has_the_mass_of_the_coordinate(family):
    values, cdf = CDFS[family]
    law = parse_law({"law": family, **values})
    found = entries(law, Z[None, :], (len(Z),))[0]
    with mpmath.workdps(40):
        for z, x in zip(Z, found, strict=True):
            wanted, got = normal_cdf(z), cdf(mpmath.mpf(float(x)))
            if z > 0:
                wanted, got = 1 - wanted, 1 - got
            # In units of x the error is a few roundings; of the mass of a tail some more.
            slack = 1e-12 if family in ("uniform", "truncated_normal") else 1e-9 * wanted + 1e-16
            assert abs(got - wanted) <= slack, (z, x)


@pytest.mark.parametrize("family", CDFS)
def test_the_transform_is_monotone(family):
    law = parse_law({"law": family, **CDFS[family][0]})
    z = np.linspace(-9, 9, 3001)
    found = entries(law, z[None, :], (len(z),))[0]
    # erf may fall by a rounding from one argument to the next.
    assert (np.diff(found) >= -4e-16 * np.abs(found[1:]).max()).all()


def test_a_lattice_has_its_levels_and_an_odd_one_on_a_symmetric_interval_has_zero():
    law = parse_law({"law": "lattice", "levels": 9})
    found = entries(law, np.arange(9.0)[None, :], (9,))[0]
    np.testing.assert_array_equal(found, np.arange(-4, 5) / 4)


@pytest.mark.parametrize("alpha", [0.6, 1.0, 1.5, 2.0])
def test_stable_entries_have_the_characteristic_function_of_their_law(alpha):
    law = parse_law({"law": "alpha_stable", "alpha": alpha, "sigma": 1.3})
    count = 40000
    latent = np.random.default_rng(1).standard_normal((1, count * latents_an_entry(law)))
    x = entries(law, latent, (count,))[0]
    for t in (0.2, 0.7, 1.5):
        wanted = math.exp(-((1.3 * t) ** alpha) / 2)
        assert abs(np.cos(t * x).mean() - wanted) < 5 / math.sqrt(count)


def test_a_stable_law_of_index_1_is_cauchys_quantile_of_its_first_coordinate_alone():
    law = parse_law({"law": "alpha_stable", "alpha": 1.0, "sigma": 2.0})
    first, rest = np.random.default_rng(0).standard_normal((2, 50))
    both = np.column_stack([first, rest]).reshape(1, -1)
    cauchy = parse_law({"law": "cauchy", "gamma": 1.0})
    np.testing.assert_allclose(
        entries(law, both, (50,)), entries(cauchy, first[None, :], (50,)), rtol=1e-10
    )


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4), (6, 2, 2)])
def test_orthogonal_matrices_are_orthogonal_and_turn_with_the_coordinates(shape):
    law = parse_law({"law": "orthogonal", "gain": 2.0})
    rng = np.random.default_rng(2)
    rows, columns = shape[0], math.prod(shape[1:])
    normal = rng.standard_normal((3, max(rows, columns), min(rows, columns)))
    found = entries(law, normal.reshape(3, -1), shape).reshape(3, rows, columns)
    tall = found if rows >= columns else np.swapaxes(found, 1, 2)
    identity = np.broadcast_to(4 * np.eye(tall.shape[2]), (3, tall.shape[2], tall.shape[2]))
    np.testing.assert_allclose(np.swapaxes(tall, 1, 2) @ tall, identity, atol=1e-12)
    # A law that no rotation of the coordinates changes is Haar's.
    turn, _ = np.linalg.qr(rng.standard_normal((max(rows, columns),) * 2))
    turned = entries(law, (turn @ normal).reshape(3, -1), shape).reshape(3, rows, columns)
    tall_turned = turned if rows >= columns else np.swapaxes(turned, 1, 2)
    np.testing.assert_allclose(tall_turned, turn @ tall, atol=1e-12)


def test_laws_that_are_not_random_take_no_coordinates():
    assert latents_an_entry(parse_law("zeros")) == 0
    constant = parse_law({"law": "constant", "value": 0.25})
    np.testing.assert_array_equal(entries(constant, np.empty((2, 0)), (3,)), np.full((2, 3), 0.25))


def test_every_family_of_laws_has_a_transform():
    for name, family in FAMILIES.items():
        values = {key: 1.5 if default is None else default for key, default in family.parameters}
        if name == "lattice":
            values["levels"] = 5
        law = parse_law({"law": name, **values})
        latent = np.ones((2, 6 * latents_an_entry(law)))
        assert np.isfinite(entries(law, latent, (2, 3))).all()
