INSERT INTO receipts (epoch, lane, sequence, request_id, channel_id, node, struct_hash, fee, record, salt)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
