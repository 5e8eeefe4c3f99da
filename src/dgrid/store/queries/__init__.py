"""The ledger's SQL: one statement a file, read once. Nothing is ever pasted into a statement."""

from importlib.resources import files


def sql(name: str) -> str:
    """The statement in `<name>.sql`."""
    return files(__package__).joinpath(f"{name}.sql").read_text()
