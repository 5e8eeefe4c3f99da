UPDATE answers SET stored = ? WHERE channel_id = ? AND key = ?
