INSERT INTO holds (request_id, channel_id, amount) VALUES (?, ?, ?)
