"""Makes a table, a page and plots of raw figures."""
