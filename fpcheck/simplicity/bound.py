"""What the volume of the networks that fit says about their error on new rows.

The networks are drawn from a law fixed before the data. The bound is one of the Gibbs classifier:
one such network, drawn among those with at most k of the n training rows wrong. It holds with
probability 1 - delta over the rows, the sampling of p included.

Why: let F(e) = P(Binomial(n, e) <= k). A network of error e has at most k wrong with probability
F(e) over the rows, so the mean over rows of the integral of 1 / F(e) over the networks that have
is 1 (Fubini), and the integral is at most 1 / delta with probability 1 - delta (Markov). It is p
times the mean of 1 / F(e) over these networks. F is the survival function of the Beta(k + 1, n - k)
law, whose density is log-concave, so F is too and 1 / F is convex: by Jensen 1 / F(mean e) is at
most 1 / (p delta). For k = 0, F(e) = (1 - e)^n and the mean error is at most 1 - (p delta)^(1/n).
[for k = 0 as in Buzaglo et al. 2024; for k > 0 below the bound by kl(k/n || e), since
F(e) <= exp(-n kl(k/n || e))]
"""

from __future__ import annotations

import math
from dataclasses import dataclass

# Halvings of the interval of errors: beyond them its ends are neighbouring doubles.
BISECTIONS = 60
LN2 = math.log(2.0)


@dataclass(frozen=True, slots=True)
class ErrorBound:
    """An upper bound of the Gibbs error, and of the majority vote's, which is at most twice it.

    choices: how many data sets, sizes or numbers of errors the union bound allows for.
    """

    error: float
    vote: float
    delta: float
    choices: int


def error_bound(
    bits: float, rows: int, errors: int = 0, *, delta: float = 0.05, choices: int = 1
) -> ErrorBound:
    """The bound where a share 2^-bits of the networks has at most `errors` of `rows` wrong.

    Args:
        bits: an upper limit of -log2 p that is too low with probability delta / (2 choices) at
            most; inf bounds nothing.
        rows: n, drawn independently of one another.
        errors: k, fixed before the data.
        delta: the probability with which the bound may fail, half of it kept for p's limit.
        choices: among how many bounds the reader chooses.

    Raises:
        ValueError: no rows, more errors than rows, delta outside (0, 1), or NaN bits.
    """
    if rows < 1 or not 0 <= errors <= rows or not 0.0 < delta < 1.0 or choices < 1:
        raise ValueError(f"{errors} errors of {rows} rows, delta {delta}, {choices} choices")
    if math.isnan(bits):
        raise ValueError("bits are not a number")
    log_share = -max(bits, 0.0) * LN2 + math.log(delta / (2.0 * choices))
    error = -math.expm1(log_share / rows) if not errors else _inverse_tail(log_share, rows, errors)
    return ErrorBound(error, min(1.0, 2.0 * error), delta, choices)


def _inverse_tail(log_share: float, rows: int, errors: int) -> float:
    """The largest e with P(Binomial(rows, e) <= errors) >= exp(log_share), rounded up."""
    if errors >= rows or log_share == -math.inf:
        return 1.0
    low, high = errors / rows, 1.0
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        if middle == high:  # neighbouring doubles
            break
        if log_tail(middle, rows, errors) >= log_share:
            low = middle
        else:
            high = middle
    return high


def log_tail(error: float, rows: int, errors: int) -> float:
    """ln P(Binomial(rows, error) <= errors) for 0 < error < 1."""
    odds = math.log(error) - math.log1p(-error)
    start = rows * math.log1p(-error)
    terms = [start + _log_choose(rows, k) + k * odds for k in range(errors + 1)]
    largest = max(terms)
    return largest + math.log(math.fsum(math.exp(term - largest) for term in terms))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
