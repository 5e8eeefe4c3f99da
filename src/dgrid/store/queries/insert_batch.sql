INSERT INTO batches (lane, epoch, first_sequence, size, signature) VALUES (?, ?, ?, ?, ?)
