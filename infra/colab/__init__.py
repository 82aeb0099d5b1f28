"""What a session at Colab begins with."""
