"""Single layers and the rules for their first weights."""
