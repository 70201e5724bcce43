"""For tests: the pytest plugin, fixtures, and what a test starts or fakes. Not in the image; see docs/testing.md."""
