"""Many cuts in one run: what each costs and loses."""
