"""Speed, memory and the price of judging, measured on one machine: `make bench`. Never a timed test."""
