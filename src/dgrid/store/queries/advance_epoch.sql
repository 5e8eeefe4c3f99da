UPDATE epochs SET state = ?, stored = ? WHERE epoch = ?
