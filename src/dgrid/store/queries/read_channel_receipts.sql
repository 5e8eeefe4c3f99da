SELECT epoch, lane, sequence, request_id, record FROM receipts WHERE channel_id = ? ORDER BY id DESC LIMIT ?
