"""Judges that read: how alike two answers are, what agreement says of accuracy and of consistency."""
