"""Gets experiments onto borrowed machines, and keeps them going until they are done."""
