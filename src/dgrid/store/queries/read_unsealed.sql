SELECT receipts.epoch, receipts.sequence, struct_hash, node, record FROM receipts
WHERE receipts.lane = ? AND receipts.id > (
    SELECT coalesce(max(sealed.id), 0) FROM batches
    JOIN receipts AS sealed
        ON sealed.lane = batches.lane AND sealed.epoch = batches.epoch
        AND sealed.sequence = batches.first_sequence + batches.size - 1
    WHERE batches.lane = ?
      AND (batches.epoch, batches.first_sequence) = (
        SELECT last.epoch, last.first_sequence FROM batches AS last
        WHERE last.lane = ? ORDER BY last.epoch DESC, last.first_sequence DESC LIMIT 1)
)
ORDER BY receipts.id
