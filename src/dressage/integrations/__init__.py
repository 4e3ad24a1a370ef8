"""The watch in the loops of others: a module for each library, imported by name; none is imported unless it is asked for."""
