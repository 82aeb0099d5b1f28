"""Kaggle: sessions are private kernels ("notebooks") of the user's account, one for each session number."""
