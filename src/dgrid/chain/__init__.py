"""The EVM from Python: typed contracts, a sender that never sends twice, a reorg-safe watcher, the dev chain.

- Asking: `rpc` speaks to the endpoints, `quorum` believes a majority of them; `contracts` are ours, by their `abi`.
- Sending: `sender` makes each intent happen once, with its `journal` on disk, as `transactions`.
- Following: `watcher` reads on and `cursor` keeps it; `reading`, `case_reading` and `ballot_reading` decode logs into
  `events` and `case_events`, each at its place in `moments`; `view` folds them, with `judging`, `case_view`, `ballots`,
  `demands` and `parameter_history`. `by_epoch` and `backlog` keep that cheap on an old chain, `attendance` remembers
  when it was followed, `facts` holds what never changes. `past_events` looks one up again, `anchor_signatures` what was
  signed of a root.
- Taking part: `enroll`, `channels`, `listings`, `court`, `cases` and `voting`, one transaction for each verb.
- Beginning: `parameters` is the catalogue of what members may change; `networks` and `deploy` put contracts on a chain;
  `devchain` is the one of this machine, and `funding` its money.
"""
