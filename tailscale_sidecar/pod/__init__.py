"""The pod as plain data: its names, its rules, and what is added to it. Nothing here knows the component."""
