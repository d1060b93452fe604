"""Question 2: what does the network do when it feeds itself?"""
