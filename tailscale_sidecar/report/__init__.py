"""What the commands tell: findings, tables, progress."""
