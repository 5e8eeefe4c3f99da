"""How tests write a request's body: as the SDK does."""

from dgrid.processes.author_asking import write_body

__all__ = ["write_body"]
