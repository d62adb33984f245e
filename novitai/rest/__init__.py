"""Extensions of REST framework: parsers, pagination, cursors, content negotiation."""
