"""The escape question: what the first steps of training do to the network as it is given."""
