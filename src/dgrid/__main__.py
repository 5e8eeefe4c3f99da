"""`python -m dgrid`: the same as `dgrid`."""

from dgrid.cli.main import main

if __name__ == "__main__":
    main()
