INSERT OR REPLACE INTO indexed (one, up_to) SELECT 1, coalesce(max(id), 0) FROM receipts
