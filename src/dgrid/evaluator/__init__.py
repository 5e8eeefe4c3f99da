"""The evaluator: judges what was drawn, commits, opens, and computes a round's result like everybody else.

- `working` is its loop, `planning` says what comes next, and `taking_turns` who sends what anybody may send;
- `docket` finds its duties, `clerk` sends what a round demands, `concluding` computes, signs and posts the result, and
  `journal` keeps what was promised;
- `judging` makes a report: the content comes from `disclosures`, opened with the key in `keys`; the answers beside it
  from nodes that `offers` finds (but for those in `flags`), that `rerun` chooses and asks, and that `purse` pays; the
  scores from `judges`. `rescoring` scores public answers again;
- `cases` is its part in court; `door` is what it answers, and `tally` what it counts.
"""
