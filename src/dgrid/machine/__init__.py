"""What the machine under every role gives: files of SQLite, an end with the parent, places in tracebacks. Knows nothing
of DGrid.
"""
