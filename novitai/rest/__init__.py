"""What REST framework needs beyond its own: parsers, pages, cursors, negotiation."""
