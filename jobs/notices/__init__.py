"""Words to somebody who is not looking: a command that is run, or an address that is posted to (docs/receipt.md).

A watch tells of what became of its runs: `events` says what is worth a notice, `kept` which of them went out,
`sending` how one goes out, and `telling` puts them together, so that nothing here can harm the watch.
"""
