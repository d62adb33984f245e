"""Raw figures to a table, a page and plots."""
