SELECT config, spent, committed, funded, ceiling, voucher, previous FROM channels WHERE channel_id = ?
