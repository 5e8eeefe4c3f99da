SELECT min(epoch) FROM receipts WHERE epoch > (SELECT coalesce(max(epoch), -1) FROM epochs)
