DELETE FROM answers WHERE channel_id = ? AND key = ?
