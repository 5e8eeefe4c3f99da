"""See the folder above."""
