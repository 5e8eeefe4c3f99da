DELETE FROM answers WHERE made_ms < ? AND stored IS NOT NULL
