SELECT epoch, lane, sequence, channel_id, struct_hash, record, salt FROM receipts
WHERE request_id = ?1 AND id IN (SELECT receipt FROM receipts_by_request WHERE start = substr(?1, 1, 8))
ORDER BY id LIMIT 1
