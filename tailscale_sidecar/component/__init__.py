"""The component: its arguments, and the resources that they become."""
