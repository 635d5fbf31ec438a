"""Write tables to Parquet as they come, one file a table."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.parquet as pq


class TableWriters:
    """Open Parquet files of a folder, one for each table, closed together."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[str, pq.ParquetWriter] = {}

    def __enter__(self) -> TableWriters:
        return self

    def write(self, tables: dict[str, pa.Table]) -> None:
        """Append a row group to each table."""
        for name, table in tables.items():
            whole = table.unify_dictionaries()
            if name not in self._writers:
                self._writers[name] = pq.ParquetWriter(
                    self._folder / f"{name}.parquet",
                    whole.schema,
                    compression="zstd",
                    # Readers then see plain text, not this writer's dictionaries.
                    store_schema=False,
                )
            self._writers[name].write_table(whole)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for writer in self._writers.values():
            writer.close()
