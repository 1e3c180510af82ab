"""What is fast and how we know, side by side with what a user would pick instead."""
