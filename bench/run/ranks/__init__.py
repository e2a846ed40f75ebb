"""One model that several processes run together, each measured where it runs."""
