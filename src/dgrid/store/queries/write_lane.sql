UPDATE lanes
SET epoch = ?, next_sequence = ?, served_at_ms = ?, protocol_total = ?, gateway_total = ?
WHERE lane = ? AND fence = ?
