"""The processes that run models, and the conductor's side of them."""
