"""What the three functions share: shipped beside `main.py` in every function's archive."""
