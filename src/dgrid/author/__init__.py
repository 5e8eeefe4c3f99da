"""The canaries' author: known-answer tasks among the traffic, committed to beforehand, opened when judging is over."""
