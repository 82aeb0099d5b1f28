"""AWS Batch: sessions as jobs of a queue that is the user's own."""
