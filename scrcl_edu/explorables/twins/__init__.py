"""The static picture of each explorable: a module a name, each with `TITLE`, `LESSON`, `ALT` and `draw(data)`."""
