"""What runs inside a Kaggle session. `start.py` is a template: two texts in it are put in when a kernel is pushed."""
