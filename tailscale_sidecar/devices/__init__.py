"""The replicas' devices on the tailnet: what is known of them, and their removal."""
