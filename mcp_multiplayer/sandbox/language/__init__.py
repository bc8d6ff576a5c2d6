"""What a referee may say, and what stands behind each word of it."""
