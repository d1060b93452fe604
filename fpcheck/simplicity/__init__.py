"""Question 4: how many bits it costs random weights of an architecture to hit the labels."""
