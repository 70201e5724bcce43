"""The same four pieces of work, done by others: each module here is the URLs of one web server."""
