"""A run's notebook for a place that only a person can start: it holds the program, and goes on with the run."""
