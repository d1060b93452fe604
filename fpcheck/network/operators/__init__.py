"""What every node type does to a batch, and its exact Jacobian products."""
