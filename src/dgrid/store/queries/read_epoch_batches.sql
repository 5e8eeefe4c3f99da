SELECT lane, first_sequence, size, signature FROM batches WHERE epoch = ? ORDER BY lane, first_sequence
