from django.db import models
from django.db.models.functions import Now
from django.utils import timezone


class QueuedTask(models.Model):
    """A task that is not done yet. Broker messages only announce it; this row decides whether and when it runs.

    The relay publishes the row when it is due, and again when no worker begins it. The worker deletes the row in the
    transaction of the task's effect, so a broker, worker or relay that dies loses nothing.
    """

    task_id = models.CharField(max_length=64)
    task = models.CharField(max_length=200)
    args = models.JSONField(default=list, blank=True)
    kwargs = models.JSONField(default=dict, blank=True)
    headers = models.JSONField(default=dict, blank=True)
    queued_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField(default=timezone.now, help_text="When the relay publishes it (again).")
    expires_at = models.DateTimeField(null=True, blank=True, help_text="After this it is dropped instead of begun.")
    priority = models.SmallIntegerField(default=0, help_text="0 before 1 (bulk); each has a queue at the broker.")
    published_at = models.DateTimeField(null=True, blank=True, help_text="When it was last published.")
    times_published = models.IntegerField(default=0, help_text="How often it was published since a worker began it.")
    starts = models.IntegerField(default=0, help_text="How often a worker began it since it last failed cleanly.")
    retries = models.IntegerField(default=0, help_text="How often it failed and was tried again.")
    leased_until = models.DateTimeField(
        null=True, blank=True, help_text="A worker runs it, and renews this lease while it is alive."
    )
    failed_at = models.DateTimeField(null=True, blank=True, help_text="When it failed for good.")
    error = models.TextField(blank=True)

    class Meta:
        permissions = [
            ("retry_queuedtask", "Can retry failed tasks"),
            ("drop_queuedtask", "Can drop failed tasks"),
            ("view_error_queuedtask", "Can read the tracebacks of failed tasks"),
        ]
        # Few and narrow: each step of a task's life writes them all anew.
        constraints = [models.UniqueConstraint(fields=["task_id"], name="queue_queuedtask_task_id")]
        indexes = [
            models.Index(
                fields=["priority", "due_at"], name="queue_queuedtask_due", condition=models.Q(failed_at=None)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.task} {self.task_id}"


class Heartbeat(models.Model):
    """When a part of the system last showed that it works."""

    name = models.CharField(max_length=100, unique=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class DeclaredSchedule(models.Model):
    """A periodic task as the code last declared it, so that a staff edit can be told from a change in the code."""

    name = models.CharField(max_length=200, unique=True)
    declaration = models.JSONField()
    edited = models.BooleanField(default=False, help_text="Staff changed it in the admin: the code is ignored.")

    def __str__(self) -> str:
        return self.name
