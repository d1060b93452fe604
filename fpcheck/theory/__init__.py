"""The infinite-width limit: Gaussian expectations, variance and correlation maps, edge of chaos.

    from fpcheck.theory import variance_map_of
    v = variance_map_of(np.cos, sigma_w2=1.5, sigma_b2=0.1)
    v(1.0)              Estimate(value=..., error=..., trusted=True, note='')
    v.fixed_points()    each with its error

gives the variance map of an activation function of your own; what fpcheck knows by name has more
(variance_map, correlation_map, edge_of_chaos). It loads when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fpcheck.theory.callables import Estimate, variance_map_of

__all__ = ["Estimate", "variance_map_of"]


def __getattr__(name: str) -> object:
    """The public name `name`, imported now: numpy stays out of what only imports the package."""
    if name not in __all__:
        raise AttributeError(f"module 'fpcheck.theory' has no attribute '{name}'")
    from fpcheck.theory import callables

    return getattr(callables, name)
