"""Question 3: is the last layer alone enough?"""
