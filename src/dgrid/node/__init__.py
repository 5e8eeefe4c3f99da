"""The operator's machine: it offers a model, takes dispatches it will be paid for, streams answers and signs what
it did.
"""
