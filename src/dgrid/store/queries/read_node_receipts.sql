SELECT epoch, lane, sequence, struct_hash, record FROM receipts
WHERE node = ? AND id > (SELECT coalesce(max(id), 0) - 20000 FROM receipts)
ORDER BY id DESC LIMIT ?
