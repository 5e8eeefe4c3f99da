"""The EVM from Python: typed contracts, a sender that never sends twice, a reorg-safe watcher, the dev chain."""
