"""Sessions at a place that cannot reach the store: they are given a copy of the run, and what they add is brought back.

`packing` says what goes along and how it travels, `judging` what of it may come back, `bringing` takes that into the
user's own store. While such a session is open, the run's ledger is frozen: by `facegan.ledger.law`, and in words by
`freezing`.
"""
