"""What an operator starts: each role as a process of its own, and the supervisor that runs a whole network of them."""
