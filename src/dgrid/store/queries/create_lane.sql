INSERT INTO lanes (lane, fence, epoch, next_sequence, served_at_ms, protocol_total, gateway_total)
VALUES (?, 0, 0, 0, 0, zeroblob(16), zeroblob(16))
ON CONFLICT (lane) DO NOTHING
