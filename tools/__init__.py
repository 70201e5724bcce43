"""Commands for development: contracts, schema, settings, migrations, split. Installed under DEBUG, not in the image.

May import everything but the workshop; nothing imports it.
"""
