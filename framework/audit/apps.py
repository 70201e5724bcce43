from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "framework.audit"
    verbose_name = "Audit"
