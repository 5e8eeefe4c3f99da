"""Roles that cheat, built from the product's own parts with one thing changed; the product knows nothing of them."""
