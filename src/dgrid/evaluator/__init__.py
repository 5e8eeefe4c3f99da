"""The evaluator: judges what was drawn, commits, opens, and computes a round's result like everybody else."""
