"""What a run has cost in time, quota and money, for people: `facegan-job status RUN --receipt` (docs/receipt.md).

Where the time went is `facegan.hours`', which MLflow is told too; here it becomes a table.
"""
