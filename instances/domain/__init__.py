"""Words without a database: enumerations, types, errors, tags, money."""
