"""Carrying runs from session to session until they are done (docs/relay.md).

`decision` is the one pure function: `seen` is what it is told, `actions` what it can say. `past` reads the ledger,
`places` asks the places, `policy` finds out what is allowed, and `watching` does what was decided.
"""
