"""What tests start, fake and share: a pytest plugin and its helpers. Nothing in production imports this package.

docs/testing.md lists what there is.
"""
