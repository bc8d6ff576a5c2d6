"""What goes over the socket between host and worker."""
