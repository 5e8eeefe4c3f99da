SELECT struct_hash FROM receipts WHERE lane = ? AND epoch = ? AND sequence >= ? AND sequence < ? ORDER BY sequence
