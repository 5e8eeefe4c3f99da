SELECT lane, sequence, struct_hash, fee, record, channel_id FROM receipts WHERE epoch = ? ORDER BY lane, sequence
