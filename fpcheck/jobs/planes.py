"""The file of a slice's directions, read and held against the model before the work begins."""

from __future__ import annotations

from pathlib import Path

from fpcheck.attractors.basins.given import GivenPlane, read_plane
from fpcheck.core.settings import Settings, names_plane_file
from fpcheck.network.subject import Subject


def given_plane(settings: Settings) -> GivenPlane | None:
    """The plane of the file that `settings.slice` names; None where it names none.

    Raises:
        DataError: the file gives no plane.
    """
    return read_plane(Path(settings.slice[0])) if names_plane_file(settings.slice) else None


def check_plane(plane: GivenPlane | None, subject: Subject) -> None:
    """Nothing, if the plane is one of states of the subject, or of one of its cells.

    Raises:
        DataError: it is of states of another size.
    """
    if plane is None:
        return
    networks = [cell.network for cell in subject.cells]
    if not networks and subject.network is not None and subject.network.skeleton.self_map:
        networks = [subject.network]
    sizes = [network.program.input_size for network in networks]
    if sizes and plane.directions.shape[1] not in sizes:
        plane.check_size(sizes[0], subject.name)
