"""What combines questions: one job a file."""
