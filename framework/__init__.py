"""What every domain stands on. Never edited by an adopter: an upgrade replaces it whole.

May import no domain, no project and no contract of a domain.
"""
