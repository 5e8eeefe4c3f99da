DELETE FROM orders WHERE deadline_ms < ?
