"""Products and templates that Novita offers: cache, placement, regions."""
