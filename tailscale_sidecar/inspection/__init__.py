"""What `doctor` and `preflight` look at: a cluster, the workloads in it, a tailnet. Nothing here changes anything."""
