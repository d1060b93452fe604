"""The errors that a user can act on: a fact, where it stands, and what to do next."""

from __future__ import annotations


class FpcheckError(Exception):
    """An error with a hint; the command line prints both and exits with `exit_code`.

    Args:
        message: the fact, in one line, naming the file, layer or key.
        where: the place, such as `net.toml, line 4` or `model.pt, archive/data.pkl`.
        hint: what to do next, with the flag or the nearest valid name.
    """

    exit_code = 2

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint


class UsageError(FpcheckError):
    """A flag, a limit or a configuration key that cannot be used."""


class ModelFileError(FpcheckError):
    """A model file that cannot be read or does not describe a network."""


class SpecError(FpcheckError):
    """A spec whose text does not describe a network."""


class DataError(FpcheckError):
    """Data that cannot be read or does not fit the network."""


class UnsupportedOperationError(FpcheckError):
    """A layer or an operation that fpcheck does not know."""


class MemoryLimitError(FpcheckError):
    """Work that would need more memory than there is; refused before it starts."""


class NothingToJudgeError(FpcheckError):
    """Nothing that was asked can be answered for this subject."""

    exit_code = 3
