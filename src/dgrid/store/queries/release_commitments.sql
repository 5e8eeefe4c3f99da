UPDATE channels SET committed = spent WHERE committed <> spent
