"""The half that decides and never waits: no clock is read here, nothing is awaited, no file is opened."""
