"""What may be wrong: plain functions of what was looked at, each defect with a name of its own."""
