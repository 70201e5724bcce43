"""The admin's site: every page writes the audit."""

from typing import Any

from django.contrib.admin import AdminSite

from framework.admin.audited import Audited


class Site(AdminSite):
    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        bases = (admin_class, Audited) if admin_class else (Audited,)
        super().register(model_or_iterable, type(bases[0].__name__, bases, {}), **options)
