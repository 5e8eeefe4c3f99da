"""What the machine under every role gives: files of SQLite, and an end with the parent. Knows nothing of DGrid."""
