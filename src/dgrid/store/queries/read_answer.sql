SELECT body_hash, request_id, made_ms, stored FROM answers WHERE channel_id = ? AND key = ?
