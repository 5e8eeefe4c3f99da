SELECT fence, epoch, next_sequence, served_at_ms, protocol_total, gateway_total FROM lanes WHERE lane = ?
