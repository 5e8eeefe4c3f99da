"""The nouns and laws of the network: pure, without I/O, clock or randomness."""
