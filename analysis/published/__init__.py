"""What the published record of the two papers yields when it is recomputed."""
