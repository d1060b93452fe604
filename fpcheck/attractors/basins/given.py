"""A plane that a file gives: two directions, and a centre where it has a third row."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpcheck.attractors.basins.plane import ON_THE_PLANE, Plane, plane_along
from fpcheck.attractors.selfmap import Array
from fpcheck.core.errors import DataError
from fpcheck.core.settings import PLANE_FILES
from fpcheck.network.array_file import as_numbers, read_npy, read_npz
from fpcheck.network.csv_table import read_csv

HINT = "two rows of numbers, the directions; a third row is the centre"
# Cosines below this come of rounding: the directions stand at right angles.
UPRIGHT = 1e-9
# Lengths whose squares neither vanish nor overflow.
LENGTHS = (1e-150, 1e150)


@dataclass(frozen=True, slots=True, eq=False)
class GivenPlane:
    """Directions (2, n), and the centre (n,) where the file has one; name: of the file."""

    name: str
    directions: Array
    centre: Array | None

    def check_size(self, n: int, whose: str) -> None:
        """Nothing, if states of n numbers can be on it.

        Raises:
            DataError: they cannot.
        """
        found = self.directions.shape[1]
        if found != n:
            raise DataError(
                f"{self.name} has rows of {found} {_numbers(found)}, a state of {whose} has {n}",
                where="--slice",
                hint=f"a direction is a state: {n} {_numbers(n)} a row",
            )

    def plane(self, middle: Array, words: str) -> Plane:
        """The plane; as long as the longer direction is, it reaches to every side.

        middle: (n,), the centre where the file has none, `words` what that is.
        """
        first, second = self.directions
        lengths = np.linalg.norm(self.directions, axis=1)
        upright = abs(float(first @ second)) <= UPRIGHT * float(lengths[0] * lengths[1])
        across = "along direction 2" if upright else "across, on the side of direction 2"
        return plane_along(
            middle if self.centre is None else self.centre,
            (first, second),
            float(lengths.max()),
            ("along direction 1", across),
            name=f"the plane of {self.name}",
            centre=words if self.centre is None else f"row 3 of {self.name}",
        )


def read_plane(path: Path) -> GivenPlane:
    """The plane that the file gives: an array (2, n) or (3, n).

    Raises:
        DataError: there is no such file, it cannot be read, or its rows span no plane.
    """
    name = path.name
    stored = as_numbers(_stored(path), "the slice", name)
    if stored.ndim != 2 or len(stored) not in (2, 3) or stored.shape[1] == 0:
        raise DataError(f"{name} holds an array {list(stored.shape)}", where="--slice", hint=HINT)
    if not np.isfinite(stored).all():
        row, column = np.argwhere(~np.isfinite(stored))[0]
        raise DataError(
            f"{name} holds {stored[row, column]} in row {row + 1}, column {column + 1}",
            where="--slice",
            hint="every number of a direction and of a centre must be finite",
        )
    _check_span(stored[:2], name)
    return GivenPlane(name, stored[:2], stored[2] if len(stored) == 3 else None)


def _stored(path: Path) -> NDArray[np.generic]:
    suffix = path.suffix.lower()
    if not path.is_file():
        raise DataError(f"there is no file '{path}'", where="--slice", hint=f"it holds {HINT}")
    try:
        if suffix == ".npy":
            return read_npy(path)
        if suffix == ".npz":
            return read_npz(path)[0]
        if suffix == ".csv":
            return read_csv(path).inputs
    except OSError as error:
        fact = f"cannot read {path.name}: {error.strerror or error}"
        raise DataError(fact, where="--slice") from None
    except DataError as error:
        raise DataError(error.message, where="--slice", hint=f"{path.name} holds {HINT}") from None
    raise DataError(
        f"{path.name} is of no known kind", where="--slice", hint=f"known: {', '.join(PLANE_FILES)}"
    )


def _check_span(directions: Array, name: str) -> None:
    """Nothing, if the two directions span a plane."""
    with np.errstate(over="ignore"):
        lengths = np.linalg.norm(directions, axis=1)
    for number, length in enumerate(lengths, 1):
        if not LENGTHS[0] < length < LENGTHS[1]:
            what = "zero" if length == 0.0 else f"{length:.3g} long"
            raise DataError(
                f"direction {number} of {name} is {what}",
                where="--slice",
                hint="the picture reaches from its centre as far as the longer direction is long",
            )
    first, second = directions / lengths[:, None]
    if np.linalg.norm(second - (second @ first) * first) <= ON_THE_PLANE:
        raise DataError(
            f"the two directions of {name} lie on one line",
            where="--slice",
            hint="two that do not span a plane; --slice principal and --slice random find two",
        )


def _numbers(count: int) -> str:
    return "number" if count == 1 else "numbers"
