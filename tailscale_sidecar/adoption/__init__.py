"""From a StatefulSet that was made by hand, after Tailscale's guide, to the program that describes it."""
