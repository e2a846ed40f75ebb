"""Programs that time parts of this project; each is run by itself."""
