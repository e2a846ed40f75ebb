"""The project's own cuts that come by an entry point each, as those of packages do (`backends.added`)."""
