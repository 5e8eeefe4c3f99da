SELECT epoch, node, record FROM receipts
WHERE id IN (SELECT min(id) FROM receipts WHERE epoch >= ? GROUP BY epoch, node)
ORDER BY id
