UPDATE lanes SET fence = fence + 1 WHERE lane = ?
