SELECT request_id, channel_id, amount FROM holds
