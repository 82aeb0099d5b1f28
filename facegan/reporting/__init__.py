"""One page that compares runs, from what they have committed: the one home of Jinja2 and matplotlib."""
