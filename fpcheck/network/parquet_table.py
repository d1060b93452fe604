"""Numbers from a .parquet file, by pyarrow where it is installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpcheck.core.errors import DataError
from fpcheck.core.memory import require_memory
from fpcheck.network.array_file import as_numbers
from fpcheck.network.csv_table import column_index


def read_parquet(
    path: Path, target: str | None = None
) -> tuple[NDArray[np.float64], NDArray[np.generic] | None]:
    """(inputs (n, d), targets (n,) or None) of the file's numeric columns.

    Raises:
        DataError: pyarrow is missing, the file is damaged, a column is not numeric or has gaps.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise DataError(
            f"{path.name}: reading .parquet needs pyarrow",
            hint="pip install 'fpcheck[parquet]'",
        ) from None
    try:
        with parquet.ParquetFile(path) as file:
            cells = file.metadata.num_rows * file.metadata.num_columns
            require_memory(24 * cells, f"reading {path.name}")
            table = file.read()
    except (pyarrow.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())[:120]
        raise DataError(f"{path.name} is damaged or not a .parquet file ({reason})") from None
    names = list(table.column_names)
    column = None if target is None else column_index(names, target, path.name)
    features = [index for index in range(len(names)) if index != column]
    if not features:
        raise DataError(f"{path.name} has no columns besides the target")
    columns = {}
    for index, name in enumerate(names):
        values = table.column(index)
        if values.null_count:
            row = int(np.argmax(values.is_null().to_numpy(zero_copy_only=False)))
            raise DataError(
                f"{path.name}: column '{name}' has no value in row {row} "
                f"({values.null_count} such rows)",
                hint="leave the rows out or fill the values in: fpcheck does not invent them",
            )
        columns[index] = values.to_numpy(zero_copy_only=False)
    inputs = np.column_stack(
        [as_numbers(columns[index], f"column '{names[index]}'", path.name) for index in features]
    )
    if column is None:
        return inputs, None
    labels = columns[column]
    return inputs, labels.astype(str) if labels.dtype.kind == "O" else labels
