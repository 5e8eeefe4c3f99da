SELECT first_sequence, size, signature FROM batches
WHERE lane = ? AND epoch = ? AND first_sequence <= ?
ORDER BY first_sequence DESC LIMIT 1
