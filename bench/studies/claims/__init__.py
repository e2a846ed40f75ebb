"""What was claimed, what its own record yields, and what a run made here says."""
