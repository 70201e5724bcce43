"""A domain for measurements only: orders with lines, what they are of, and who owns that. Calls nobody.

It lives outside of apps/ and is plugged in like any other package: DOMAINS=catalog,benchmarks.shop
"""
