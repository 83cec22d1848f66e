"""Figures of the component beside the guide's manifest, on the same lab in the same run: `make bench`."""
