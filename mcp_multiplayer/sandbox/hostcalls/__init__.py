"""What the host does for a hook that it cannot do itself: dice, names, connections, requests,
files."""
