INSERT INTO orders (digest, deadline_ms) VALUES (?, ?)
