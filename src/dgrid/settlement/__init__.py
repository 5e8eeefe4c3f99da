"""One epoch after it is over: its root and blob, its audit, what is collected from payers and claimed by payees."""
