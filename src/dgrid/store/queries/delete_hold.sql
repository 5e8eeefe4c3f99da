DELETE FROM holds WHERE request_id = ?
