SELECT lane, sequence, struct_hash, fee FROM receipts WHERE epoch = ? ORDER BY lane, sequence
