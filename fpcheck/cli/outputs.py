"""Where reports go: -f and -o read, paths tried before the work, files written whole or not."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fpcheck.cli.terminal import say, show
from fpcheck.core.errors import UsageError
from fpcheck.core.nearest import did_you_mean

PICTURES = ("png", "svg", "html")
TEXTS = ("terminal", "json")
FORMATS = (*TEXTS, *PICTURES)
SUFFIXES = {".json": "json", ".txt": "terminal", **{f".{form}": form for form in PICTURES}}
EXTENSIONS = {"json": ".json", "terminal": ".txt", **{form: f".{form}" for form in PICTURES}}
NAME = "{name}"


@dataclass(frozen=True, slots=True)
class Output:
    """One writing of a report: its format and file; no file stands for stdout."""

    format: str
    path: Path | None


def plan_outputs(
    chosen: str | None, outputs: Sequence[str], models: Sequence[str]
) -> tuple[tuple[Output, ...], ...]:
    """For every model what is written where; every path has been tried.

    `-o FILE` takes the place of stdout; `-o FORMAT=FILE` is written besides. With several models
    a path is a folder or holds `{name}`, which stands for the model's file name.

    Raises:
        UsageError: an unknown format, or a path that cannot be written or would be written twice.
    """
    if chosen is not None:
        check_format(chosen, "--format")
    if chosen in PICTURES and not outputs:
        raise UsageError(
            f"a picture as {chosen} goes to a file",
            where="--format",
            hint=f"-o {chosen}=picture.{chosen}",
        )
    asked = [_parsed(text, chosen) for text in outputs]
    instead = any(not besides for _, _, besides in asked)
    plans = []
    for model in models:
        plan = [] if instead else [Output(chosen or "terminal", None)]
        plan += [Output(form, _path_for(path, form, model)) for form, path, _ in asked]
        plans.append(tuple(plan))
    _check_clashes([o for plan in plans for o in plan if o.path], models)
    if len(models) > 1 and any(o == Output("json", None) for plan in plans for o in plan):
        raise UsageError(
            "the JSON reports of several models cannot share stdout",
            where="--format",
            hint=f"-o 'json=reports/{NAME}.json' writes a file for each",
        )
    for path in {o.path for plan in plans for o in plan if o.path}:
        check_writable(path)
    return tuple(plans)


def check_format(name: str, where: str, known: Sequence[str] = FORMATS) -> None:
    """Nothing, if `name` is one of the `known` formats.

    Raises:
        UsageError: it is not.
    """
    if name not in known:
        raise UsageError(f"unknown format '{name}'", where=where, hint=did_you_mean(name, known))


def check_pictures(plans: Sequence[Sequence[Output]], *, drawn: bool) -> None:
    """Nothing, if a picture is written only where the analysis draws one.

    Raises:
        UsageError: it is to be written and none is drawn.
    """
    wanted = [o.format for plan in plans for o in plan if o.format in PICTURES]
    if wanted and not drawn:
        raise UsageError(
            f"there is no picture to write as {wanted[0]}",
            where="--output",
            hint="--slice auto draws the basins, --continuation the fixed points over the gain, "
            "--data the readout's curves, with --question simplicity the bits of the labels, "
            "with --question escape the training probe",
        )


def check_writable(path: Path) -> None:
    """Nothing, if a file can be put at `path`; an existing one is left as it is.

    Raises:
        UsageError: it cannot.
    """
    target = _target(path)
    if target.is_dir():
        raise UsageError(
            f"cannot write '{path}': it is a folder", where="--output", hint="name a file in it"
        )
    if not target.parent.is_dir():
        raise UsageError(
            f"cannot write '{path}': there is no folder '{path.parent}'",
            where="--output",
            hint=f"mkdir -p {path.parent}",
        )
    if target.exists() and not os.access(target, os.W_OK):
        raise UsageError(
            f"cannot write '{path}': it is read-only", where="--output", hint="name another file"
        )
    if _is_device(target):
        return
    trial = _beside(target)
    try:
        os.close(os.open(trial, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        trial.unlink()
    except OSError as error:
        raise UsageError(
            f"cannot write '{path}': {error.strerror}",
            where="--output",
            hint="name a file in a folder that can be written to",
        ) from None


def deliver_text(text: str, path: Path | None) -> None:
    """Write an answer to its file and say so on stderr, or to stdout where there is none.

    Raises:
        UsageError: it cannot be written.
    """
    if path is None:
        show(text)
        return
    write_whole(path, text)
    say(f"Wrote {path}")


def write_whole(path: Path, content: str | bytes) -> None:
    """Put `content` at `path`: written beside it, then renamed, so that no half is ever there.

    Raises:
        UsageError: the disk is full, or the folder has changed since it was tried.
    """
    target = _target(path)
    data = content
    if isinstance(data, str):
        data = data.encode("utf-8", "backslashreplace")
    try:
        if _is_device(target):
            target.write_bytes(data)
            return
        part = _beside(target)
        try:
            with part.open("xb") as file:
                file.write(data)
            part.replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink()
            raise
    except OSError as error:
        raise UsageError(f"cannot write '{path}': {error.strerror}") from None


def _parsed(text: str, chosen: str | None) -> tuple[str, str, bool]:
    """(format, path, whether it comes besides stdout) of one -o."""
    before, equals, after = text.partition("=")
    if equals and before in FORMATS:
        if not after:
            raise UsageError(
                f"no file name after '{text}'", where="--output", hint=f"{text}report.{before}"
            )
        return before, after, True
    if equals and before.isalpha():
        hint = did_you_mean(before, FORMATS)
        raise UsageError(
            f"unknown format '{before}'",
            where="--output",
            hint=f"{hint}; for a file with = in its name: ./{text}",
        )
    if not text:
        raise UsageError("an empty file name", where="--output", hint="-o report.json")
    return chosen or SUFFIXES.get(Path(text).suffix, "terminal"), text, False


def _path_for(path: str, form: str, model: str) -> Path:
    name = Path(model).name
    if NAME in path:
        return Path(path.replace(NAME, name))
    if path.endswith(("/", os.sep)) or Path(path).is_dir():
        return Path(path) / (name + EXTENSIONS[form])
    return Path(path)


def _check_clashes(outputs: Sequence[Output], models: Sequence[str]) -> None:
    inputs = {_target(Path(model)) for model in models}
    seen: set[Path] = set()
    for output in outputs:
        if output.path is None:
            continue
        target = _target(output.path)
        if target in inputs:
            raise UsageError(
                f"'{output.path}' is the model itself", where="--output", hint="name another file"
            )
        if target in seen and not _is_device(target):
            several = f"{NAME} stands for the model's file name: -o 'json=reports/{NAME}.json'"
            raise UsageError(
                f"two reports would be written to '{output.path}'",
                where="--output",
                hint=several if len(inputs) > 1 else "give each output a file of its own",
            )
        seen.add(target)


def _target(path: Path) -> Path:
    """The file that a chain of links leads to: a link is written through, not replaced."""
    return Path(os.path.realpath(path))


def _beside(target: Path) -> Path:
    return target.with_name(f".{target.name[:100]}.{os.getpid()}.part")


def _is_device(target: Path) -> bool:
    """Whether it is a pipe or device such as /dev/stdout, which cannot be replaced."""
    return target.exists() and not target.is_file() and not target.is_dir()
