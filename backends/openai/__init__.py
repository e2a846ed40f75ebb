"""A server that is already there and speaks OpenAI's API, on this machine."""
