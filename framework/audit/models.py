from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils import timezone


class Entry(models.Model):
    """One change. PostgreSQL refuses to update it, and to delete it other than by `trail.thin` (the migration)."""

    at = models.DateTimeField(default=timezone.now)
    actor = models.CharField(max_length=100, help_text="On whose behalf: user:7, service:storefront, nobody.")
    via = models.CharField("called by", max_length=90, blank=True, help_text="The service that called for this user.")
    action = models.CharField(max_length=100, help_text="The use case: catalog.update_product.")
    object = models.CharField(max_length=100, help_text="What was changed: catalog.product:7.")
    before = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    after = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    reason = models.CharField(max_length=500, blank=True)
    request_id = models.CharField(max_length=64, blank=True)

    class Meta:
        verbose_name_plural = "entries"
        indexes = [  # what the admin searches by; the id is the order in time
            models.Index(fields=["object"], name="audit_entry_object"),
            models.Index(fields=["actor"], name="audit_entry_actor"),
            models.Index(fields=["request_id"], name="audit_entry_request_id"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.object}"
