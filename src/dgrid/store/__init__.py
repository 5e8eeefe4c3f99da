"""What survives a crash: journal, ledger, blobs. Embedded, one folder a role."""
