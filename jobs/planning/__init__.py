"""When a run will be done, where, in how many sessions and at what price: pure, from what is known beforehand.

`prospects` is what a plan is made from, `sessions` how one session goes, `search` finds the best order of them,
`play` plays it with what may go wrong, `spread` says how sure its end is, and `plan` puts it together. Nothing here
asks anybody or looks at a clock.
"""
