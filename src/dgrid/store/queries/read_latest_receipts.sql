SELECT epoch, lane, sequence, request_id, record FROM receipts ORDER BY id DESC LIMIT ?
