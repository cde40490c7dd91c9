"""The half that waits and never decides: clocks, sockets, files and boards around the model."""
