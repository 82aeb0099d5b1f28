"""What scripts that begin a session on somebody else's machine have in common. On the standard library alone."""
