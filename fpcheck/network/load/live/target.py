"""A target `package.module:name`: imported because the user wrote it, and only then."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import os
import sys
from pathlib import Path

from fpcheck.core.errors import ModelFileError
from fpcheck.core.live_target import TARGET, names_target
from fpcheck.network.load.live.black_box import described
from fpcheck.network.load.live.kinds import is_model

FORM = "a live model is named package.module:factory"


def is_target(model: object) -> bool:
    """Whether `model` is a text `package.module:name` and no file that exists."""
    return isinstance(model, str) and names_target(model) and not Path(model).exists()


def import_target(target: str) -> object:
    """The model or function that `package.module:name` stands for.

    The current folder is looked in first. What is named may be a model itself, a factory that is
    called without arguments, or, where it cannot be called without arguments, a function f(x) -> y.
    What it prints goes to stderr.

    Raises:
        ModelFileError: the module cannot be imported, has no such name, or the factory raises.
    """
    match = TARGET.fullmatch(target)
    if match is None:
        raise ModelFileError(f"'{target}' names no module and attribute", where=target, hint=FORM)
    module, name = match.groups()
    with contextlib.redirect_stdout(sys.stderr):
        found = _attribute(target, module, name)
        if is_model(found) or not callable(found):
            made = found
        elif _takes_nothing(found):
            made = _called(target, found)
        else:
            made = found
    if not is_model(made) and not callable(made):
        raise ModelFileError(
            f"{target}: it gives {_article(type(made).__name__)}, which is no model",
            where=target,
            hint="return an nn.Module, a keras.Model, a Network, or a function of a batch of rows",
        )
    return made


def _attribute(target: str, module: str, name: str) -> object:
    folder = os.getcwd()
    if folder not in sys.path:
        # It stays: a factory may import more of its neighbours later.
        sys.path.insert(0, folder)
    importlib.invalidate_caches()
    try:
        found: object = importlib.import_module(module)
    except (Exception, SystemExit) as error:
        raise ModelFileError(
            f"{target}: importing '{module}' raises {described(error)}",
            where=target,
            hint=_import_hint(module, error),
        ) from error
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except Exception as error:
            raise ModelFileError(
                f"{target}: there is no '{part}' in '{module}' ({described(error)})",
                where=target,
                hint=_names_in(found),
            ) from error
    return found


def _import_hint(module: str, error: BaseException) -> str:
    missing = getattr(error, "name", None)
    if isinstance(error, ModuleNotFoundError) and isinstance(missing, str):
        if module == missing or module.startswith(f"{missing}."):
            return f"run fpcheck in the folder that holds {missing}, or install it"
        return f"the module needs '{missing}', which is not installed here"
    return f"python -c 'import {module}' shows the whole error"


def _names_in(owner: object) -> str:
    names = [name for name in vars(owner) if not name.startswith("_")][:8] if _has(owner) else []
    return f"there are: {', '.join(names)}" if names else FORM


def _has(owner: object) -> bool:
    return hasattr(owner, "__dict__")


def _takes_nothing(found: object) -> bool:
    """Whether `found` can be called without arguments; a builtin that does not say cannot."""
    try:
        inspect.signature(found).bind()  # type: ignore[arg-type]  # callable was asked before
    except (TypeError, ValueError):
        return False
    return True


def _called(target: str, factory: object) -> object:
    try:
        return factory()  # type: ignore[operator]  # callable was asked before
    except (Exception, SystemExit) as error:
        raise ModelFileError(
            f"{target}: the factory raises {described(error)}",
            where=target,
            hint="it is called without arguments and returns the model",
        ) from error


def _article(word: str) -> str:
    return f"{'an' if word[:1].lower() in 'aeiou' else 'a'} {word}"
