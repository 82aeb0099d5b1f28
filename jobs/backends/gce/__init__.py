"""Machines of Google Compute Engine, in the user's own project: one for each session, which deletes itself."""
