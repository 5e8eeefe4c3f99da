SELECT 1 FROM orders WHERE digest = ?
