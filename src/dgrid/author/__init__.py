"""The canaries' author: known-answer tasks among the traffic, committed to beforehand, opened when judging is over.

- `working` is its loop: it looks at the `traffic`, plans an epoch (`planning`, and `naming` for the models), asks from
  its `accounts`, and opens what `journal` kept;
- `generator` writes requests: `questions` about `texts`, whose facts are listed in `traits`; tasks of `sorting`; `talk`
  without a text. All are made of `words`, by `chance`. `stock` holds the author's own questions.
"""
