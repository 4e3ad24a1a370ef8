"""Tables: CSV, Parquet and frames, from bytes to typed columns with a target."""

from dressage.data.tables.again import NewRows, read_new
from dressage.data.tables.open import open_table

__all__ = ["NewRows", "open_table", "read_new"]
