SELECT total, previous FROM parties WHERE kind = ? AND party = ?
