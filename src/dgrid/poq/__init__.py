"""Proof of Quality as pure integer mathematics: who judges what, what the judgements come to, and who is paid for it.

The same evidence gives the same bytes on every machine: no floats, no clock, no chance, no I/O. Anybody with the chain
and the round's blobs recomputes it. `rounds` judges a whole round, in this order:

- `evidence` is what a round is judged from, `rules` are the numbers it rests on, `integers` is the arithmetic;
- `draw` says whose duty each leaf is, `panels` holds the reports against that, `dimensions` makes one score of four;
- `calibration` learns each evaluator's habits from canaries, `readings` reads the panels by them, `aggregate` makes one
  score of a panel;
- `identity` remembers who seems to run another model, `levels` brings judgements to the level of the canaries,
  `changes` lists what the round says of each node, and `credibility` is what is believed from then on;
- `node_pay` and `evaluator_pay` say what is owed, `turns` whose turn it is to be paid.

Rules on texts serve evaluators and authors alike: `tasks` tells what kind of work a request asks for; `formats` and
`schema` look at an answer's form; `text` compares it with a known one, by `choices`, `fields`, `words` and their
`vocabulary`. Apart from any round, `economics` says under which terms honesty pays, by the `temptation` of one request.
"""
