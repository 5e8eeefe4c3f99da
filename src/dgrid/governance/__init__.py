"""How the members change the network: proposals and their state, what one would change, what it would have meant."""
