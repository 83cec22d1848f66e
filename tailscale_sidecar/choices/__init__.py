"""What a user chooses: how replicas log in, look names up, keep their identity and reach the tailnet."""
