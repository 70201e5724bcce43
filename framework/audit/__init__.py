"""The audit: who changed what, on whose behalf and why; one table, which is only ever added to.

    from framework.audit import trail

    trail.record(actor, "catalog.update_product", trail.of("catalog.product", product.id), before=old, after=new)

May import `actor` and `context`.
"""
