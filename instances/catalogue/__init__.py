"""What can be bought: cached products and templates, placement, regions."""
