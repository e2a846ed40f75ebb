"""Does lambda2 of a prompt go with lambda11 of hidden states? Prompts, points, tables."""
