"""The client's door: admits, routes, dispatches, verifies, bills; signs receipts and closes epochs."""
