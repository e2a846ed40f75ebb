"""Three answers and a short pilot make a suite for this machine."""
