"""How it is done: meter, workers, session, and what is stored."""
