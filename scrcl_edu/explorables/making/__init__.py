"""What each explorable's browser is given: a module a name, each with `make()`."""
