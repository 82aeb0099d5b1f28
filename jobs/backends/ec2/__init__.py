"""Machines of Amazon EC2, in the user's own account: one for each session, which removes itself."""
