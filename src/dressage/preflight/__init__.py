"""Before the first step: checks of a network, its loss, its optimiser and its data, judged."""
