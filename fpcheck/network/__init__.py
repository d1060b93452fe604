"""What is analysed: the skeleton, its weights, the laws that draw them, and the user's data."""
