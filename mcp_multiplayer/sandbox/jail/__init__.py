"""What the kernel takes away from a worker, and whether it has."""
