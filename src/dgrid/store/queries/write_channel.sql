INSERT INTO channels (channel_id, config, spent, committed, funded, ceiling, voucher, previous)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (channel_id) DO UPDATE SET
    spent = excluded.spent, committed = excluded.committed, funded = excluded.funded,
    ceiling = excluded.ceiling, voucher = excluded.voucher, previous = excluded.previous
