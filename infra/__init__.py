"""Templates and tables that are shipped as text."""
