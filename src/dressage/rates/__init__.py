"""The learning rate, found by trying."""
