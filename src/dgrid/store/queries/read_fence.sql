SELECT fence FROM lanes WHERE lane = ?
