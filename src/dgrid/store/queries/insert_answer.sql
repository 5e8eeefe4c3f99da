INSERT OR REPLACE INTO answers (channel_id, key, body_hash, request_id, made_ms, stored) VALUES (?, ?, ?, ?, ?, NULL)
