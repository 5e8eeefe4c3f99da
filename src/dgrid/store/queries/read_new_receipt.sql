SELECT epoch, lane, sequence, channel_id, struct_hash, record, salt FROM receipts
WHERE request_id = ? AND id > (SELECT coalesce(max(up_to), 0) FROM indexed)
ORDER BY id LIMIT 1
