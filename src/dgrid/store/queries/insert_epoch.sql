INSERT INTO epochs (epoch, state, size, root, signature, stored) VALUES (?, 'closed', ?, ?, ?, ?)
