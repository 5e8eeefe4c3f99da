"""Who checks what gateways settled: every anchored epoch recomputed, what is wrong shown to the contracts."""
