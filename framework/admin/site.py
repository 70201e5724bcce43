"""The admin's site: every page writes the audit, and the front page says what needs a person."""

from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.template.response import TemplateResponse

from framework.admin import home
from framework.admin.audited import Audited


class Site(AdminSite):
    site_url = "/" if settings.DEBUG else None  # the page at / is for development

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Leaves out what ADMIN_WITHOUT names: pages of packages that would go around our rules."""
        models = model_or_iterable if isinstance(model_or_iterable, list | tuple) else [model_or_iterable]
        bases = (admin_class, Audited) if admin_class else (Audited,)
        kept = [model for model in models if model._meta.label not in settings.ADMIN_WITHOUT]
        super().register(kept, type(bases[0].__name__, bases, {}), **options)

    def index(self, request: HttpRequest, extra_context: Any = None) -> TemplateResponse:
        return super().index(request, {"sections": home.sections(request), **(extra_context or {})})
