"""What all tests share: hypothesis draws the same examples in every run, so that a red suite stays red.

`./run test --hypothesis-profile=explore` draws other ones each time, and many more.
"""

from hypothesis import settings

settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None, max_examples=2_000)
settings.load_profile("ci")
