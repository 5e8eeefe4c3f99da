SELECT epoch, lane, sequence, channel_id, struct_hash, record, salt FROM receipts WHERE request_id = ? ORDER BY id LIMIT 1
