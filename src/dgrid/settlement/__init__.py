"""One epoch after it is over: its root and blob, its audit, what is collected from payers and claimed by payees.

From an epoch to its money:

- `closing` makes the root and the blob; `signed_roots`, `records` and `proofs` are what others hold of them;
- `archives` are where blobs lie, and `promising` what an archive may promise to keep; `anchoring` brings roots to the
  chain, `finishing` says which a gateway may still bring that is out of service;
- `collecting` draws from payers what `collection` knows to be due; `claims` are what payees draw, and `overdue` is
  their way where no root ever comes;
- `audit` recomputes an epoch by the rules in `splits`, `totals`, `joins`, `sums` and `shown_sums`, and finds `faults`;
  `demands` answers who asks for a record on chain, `watchers` are told who signed two things.

From a draw to its pay-out:

- `rounds` says when each step of a round is; `evidence` and `grounds` check what was published, and `quality` collects
  all of it;
- `recomputing` audits a round; `lateness` and `disputes` say whether its root is wrong, `finality` whether an epoch is
  past all doubt, and `payouts` what is owed;
- `certifying` makes a `certificate`, which `certificate_checks` holds to its word, written as in `plain`; `fates` says
  how far judging has come with a receipt, `findings` what an evaluator found of it;
- `cases` says what members are charged with, `binding` and `samples` what convicts a node, `hearings` when each step
  of a case is; `appealing` takes a verdict further.

`reading` opens the whole network from the chain and any archive; `replaying` computes what a proposal would have meant.
"""
