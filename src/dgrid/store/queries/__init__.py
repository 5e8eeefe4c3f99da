"""The ledger's SQL: one statement a file, read once. Nothing is ever pasted into a statement."""

from functools import cache
from importlib.resources import files


@cache
def sql(name: str) -> str:
    """The statement in `<name>.sql`."""
    return files(__package__).joinpath(f"{name}.sql").read_text()
