INSERT INTO receipts_by_request (start, receipt)
SELECT substr(request_id, 1, 8), id FROM receipts
WHERE id > (SELECT coalesce(max(up_to), 0) FROM indexed)
ORDER BY 1
