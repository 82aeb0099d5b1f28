"""What runs in an exported notebook, as text for the exporting machine to fill in."""
