"""Which files a run is made of, and in which order they were saved."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fpcheck.core.errors import FpcheckError, ModelFileError, UsageError
from fpcheck.network.load.files import ModelFile, open_model
from fpcheck.network.load.folder import INDEX
from fpcheck.network.load.json_object import json_object
from fpcheck.network.load.registry import FORMATS, SPEC_SUFFIX, format_of, has_known_suffix
from fpcheck.network.load.stored import Stored

# What training scripts and frameworks call the number of updates, or of passes over the data. The
# first one that every file has counts.
STEP_KEYS = ("step", "global_step", "iteration", "epoch")
IN_FILE, IN_NAME, BY_NAME, AS_GIVEN = "step in the file", "step in the name", "name", "as given"
# Behind these a name has its step; a last number may also be a loss: epoch=3-val_loss=0.45.
NAMED = tuple(re.compile(rf"{word}[a-z]*[^0-9a-z]*(\d+)") for word in ("step", "iter", "epoch"))
LAST = re.compile(r"\d+")
MOST_METADATA = 2**24  # bytes of a header that is read for a number in it
SHARD = re.compile(r"-\d{5}-of-\d{5}\.")


@dataclass(frozen=True, slots=True)
class Ordered:
    """The files in their order, the step of each where it is known, and how that was told."""

    paths: tuple[Path, ...]
    steps: tuple[int | None, ...]
    order: str

    @property
    def names(self) -> tuple[str, ...]:
        """What each is called: with its folder where files of several folders share a name."""
        short = [path.name for path in self.paths]
        return tuple(
            name if short.count(name) == 1 else f"{path.resolve().parent.name}/{name}"
            for path, name in zip(self.paths, short, strict=True)
        )

    @property
    def note(self) -> str:
        """That different files are of one step, "" where none are."""
        different = {
            path.resolve(): step for path, step in zip(self.paths, self.steps, strict=True)
        }
        counts = Counter(step for step in different.values() if step is not None)
        shared = sorted(step for step, count in counts.items() if count > 1)
        if not shared:
            return ""
        alike = sum(counts[step] for step in shared)
        return (
            f"{alike} checkpoints have the step of another one, such as {shared[0]}; if the folder "
            "holds several runs, name the files of one"
        )


def find_checkpoints(given: Sequence[str | Path]) -> tuple[list[Path], bool]:
    """(the files, whether they were named one by one); a folder gives the model files in it.

    Raises:
        UsageError: nothing was given, or there is no model file in what was.
    """
    if not given:
        raise UsageError("no checkpoints", hint="fpcheck trace FOLDER, or its files one by one")
    found: dict[Path, Path] = {}  # by where it lies: a file that is given twice is one
    by_hand = True
    for one in map(Path, given):
        if not one.is_dir():
            found.setdefault(one.resolve(), one)
            continue
        by_hand = False
        try:
            inside = sorted(one.iterdir(), key=lambda path: natural(path.name))
        except OSError as error:
            raise ModelFileError(
                f"{one.name} cannot be listed: {error.strerror}", where=str(one)
            ) from None
        for path in inside:
            if path.is_file() and _is_checkpoint(path):
                found.setdefault(path.resolve(), path)
    if not found:
        raise UsageError(
            f"there are no checkpoints in {Path(given[0]).name or given[0]}",
            where=str(given[0]),
            hint="model files are looked for in the folder itself, not below it",
        )
    return list(found.values()), by_hand


def in_order(paths: Sequence[Path], *, by_hand: bool) -> Ordered:
    """The files by the step in them, else by a number in their names, else by name.

    The first number that tells all of them apart counts, else the first one that tells any apart.

    by_hand: files without numbers stay as they were given. Files that cannot be read have no say.
    """
    inside = [steps_in(path) for path in paths]
    readable = [steps for steps in inside if steps is not None]
    shared = [key for key in STEP_KEYS if readable and all(key in steps for steps in readable)]
    in_file = [(IN_FILE, _filled(paths, inside, key)) for key in shared]
    alike = len(paths) > 1 and len({path.name for path in paths}) == 1
    named = [numbers_in_name(path.resolve().parent if alike else path) for path in paths]
    in_name = [(IN_NAME, list(way)) for way in zip(*named, strict=True) if None not in way]
    ways = [*in_file, *in_name]
    counts = [len(set(steps) - {None}) for _, steps in ways]
    wanted = len({path.resolve() for path in paths})
    telling = [way for way, count in zip(ways, counts, strict=True) if count >= wanted]
    telling += [way for way, count in zip(ways, counts, strict=True) if count > 1]
    if telling or in_file:
        order, steps = (telling or in_file)[0]
        return _sorted(paths, steps, order)
    if by_hand:
        return Ordered(tuple(paths), (None,) * len(paths), AS_GIVEN)
    kept = sorted(paths, key=lambda path: natural(path.name))
    return Ordered(tuple(kept), (None,) * len(kept), BY_NAME)


def steps_in(path: Path) -> dict[str, int] | None:
    """The steps that the file itself names, by STEP_KEYS; None where it cannot be read."""
    try:
        with open_model(path) as file:
            kind = format_of(path)
            if kind.name == "safetensors":
                return _whole_numbers(_metadata(file).get)
            if kind.contents is None or path.name.lower().endswith(INDEX):
                return {}
            return _whole_numbers(kind.contents(file).tree.get)
    except (FpcheckError, OSError, ValueError):
        return None


def step_in_name(path: Path) -> int | None:
    """The number behind `step`, `iter` or `epoch` in the name, else its last one; no suffix's.

    1000 of epoch=3-step=1000.ckpt, 3 of epoch=3-val_loss=0.45.ckpt, 7 of model_7.weights.h5.
    """
    return next((number for number in numbers_in_name(path) if number is not None), None)


def numbers_in_name(path: Path) -> tuple[int | None, ...]:
    """The numbers behind `step`, `iter` and `epoch` in the name, and its last one; no suffix's."""
    name = path.name.lower()
    for suffix in (end for kind in FORMATS for end in kind.suffixes):
        if name.endswith(suffix):
            name = name[: -len(suffix)]
            break
    found = [pattern.findall(name) for pattern in (*NAMED, LAST)]
    return tuple(int(one[-1]) if one and len(one[-1]) < 16 else None for one in found)


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """What names are ordered by: their numbers as numbers."""
    parts = re.split(r"(\d+)", name.lower())
    return tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in parts if p)


def _is_checkpoint(path: Path) -> bool:
    """A model file that is not a spec, hidden, or the shard of one."""
    name = path.name
    hidden = name.startswith(".") or name.lower().endswith(SPEC_SUFFIX)
    return has_known_suffix(path) and not hidden and not SHARD.search(name)


def _metadata(file: ModelFile) -> Mapping[str, object]:
    """The free text fields in the header of a safetensors file."""
    if file.name.lower().endswith(INDEX):
        return {}
    length = int.from_bytes(file.read_at(0, 8), "little")
    if length > min(MOST_METADATA, file.size - 8):
        return {}
    header = json_object(file.read_at(8, length), file.fault)
    found = header.get("__metadata__")
    return found if isinstance(found, dict) else {}


def _whole_numbers(value_of: Callable[[str], object]) -> dict[str, int]:
    found = {}
    for key in STEP_KEYS:
        number = _whole_number(value_of(key))
        if number is not None:
            found[key] = number
    return found


def _whole_number(value: object) -> int | None:
    """`value` as a step: a whole number, a text or a tensor of one; None for anything else."""
    if isinstance(value, Stored):
        if value.entries != 1 or value.left_out:
            return None
        value = value.read().item()
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, float):
        return int(value) if math.isfinite(value) and value == int(value) else None
    return value if isinstance(value, int) else None


def _filled(
    paths: Sequence[Path], inside: Sequence[Mapping[str, int] | None], key: str
) -> list[int | None]:
    """The steps, with the number of its name for a file that cannot be read."""
    return [
        step_in_name(path) if steps is None else steps[key]
        for path, steps in zip(paths, inside, strict=True)
    ]


def _sorted(paths: Sequence[Path], steps: Sequence[int | None], order: str) -> Ordered:
    """By step, then by name; what has no step comes last."""
    pairs = sorted(
        zip(paths, steps, strict=True),
        key=lambda pair: (pair[1] is None, pair[1] or 0, natural(pair[0].name)),
    )
    return Ordered(tuple(p for p, _ in pairs), tuple(s for _, s in pairs), order)
