"""Question 1: does the signal survive depth?"""
