"""A dev chain for every test that asks for one."""

from tests.devnet import on_devnet

__all__ = ["on_devnet"]
