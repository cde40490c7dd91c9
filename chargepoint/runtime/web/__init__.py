"""The commands over HTTP, live events, metrics and the page. Needs the extra ``[web]``."""
