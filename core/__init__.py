"""What all apps share: clock, ids, statements that are composed once, pages of the admin."""
