"""DGrid, a decentralized AI inference network.

Import what you need from the package that owns it; this file holds the version and nothing else,
so that a process pays only for what it uses.
"""

__version__ = "0.1.0"
