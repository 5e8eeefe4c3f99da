INSERT INTO parties (kind, party, total, previous) VALUES (?, ?, ?, ?)
ON CONFLICT (kind, party) DO UPDATE SET total = excluded.total, previous = excluded.previous
