"""A program's Kubernetes objects, without engine and cluster."""
