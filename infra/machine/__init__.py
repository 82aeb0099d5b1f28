"""How a machine of a cloud begins, and how it ends."""
