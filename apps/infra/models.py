from django.db import models


class Heartbeat(models.Model):
    """One row a beat -> broker -> worker round trip; the newest says that the queue works."""

    name = models.CharField(max_length=100, unique=True)
    sent_at = models.DateTimeField()
    received_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class DeclaredSchedule(models.Model):
    """What the code last said of a periodic task, so that an edit by staff can be told from a change in the code."""

    name = models.CharField(max_length=200, unique=True)
    declaration = models.JSONField()
    edited = models.BooleanField(default=False, help_text="Staff changed it in the admin; the code no longer does.")

    def __str__(self) -> str:
        return self.name
