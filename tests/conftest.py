"""Makes this folder importable, so that every room's tests find `naive`; fixes hypothesis."""

from hypothesis import settings

# The same examples in every run, so that a red test is a change's doing; to look for new ones:
# pytest --hypothesis-profile=explore
settings.register_profile("same", derandomize=True)
settings.register_profile("explore", max_examples=1000, deadline=None)
settings.load_profile("same")
