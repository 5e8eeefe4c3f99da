"""The command line: parse, call, print. The only part that reads the environment and the only one that prints."""
