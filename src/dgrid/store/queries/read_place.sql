SELECT epoch, lane, sequence, request_id, record FROM receipts WHERE epoch = ? AND lane = ? AND sequence = ?
