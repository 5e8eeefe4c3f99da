"""Proof of Quality as pure integer mathematics: who judges what, what the judgements come to, and who is paid for it.

The same evidence gives the same bytes on every machine: no floats, no clock, no chance, no I/O. Anybody with the chain
and the round's blobs recomputes it.
"""
