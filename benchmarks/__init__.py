"""Speed and memory, side by side with peers on one machine, in one run: `make bench`. Never a timed test."""
