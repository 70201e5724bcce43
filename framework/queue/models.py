from django.db import models
from django.utils import timezone


class QueuedTask(models.Model):
    """A task that is not done yet. The broker carries it; this row is the truth.

    The relay publishes it when it is due, and again when nothing was heard of it; the worker deletes it together
    with the task's effect. So nothing is lost when a broker, a worker or the relay dies.
    """

    task_id = models.CharField(max_length=64)
    task = models.CharField(max_length=200)
    args = models.JSONField(default=list, blank=True)
    kwargs = models.JSONField(default=dict, blank=True)
    headers = models.JSONField(default=dict, blank=True)
    queued_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(default=timezone.now, help_text="When the relay publishes it (again).")
    published = models.IntegerField(default=0, help_text="How often it was given to the broker since its last try.")
    starts = models.IntegerField(default=0, help_text="How often a worker began it since it last failed cleanly.")
    retries = models.IntegerField(default=0, help_text="How often it failed and was tried again.")
    runs_until = models.DateTimeField(
        null=True, blank=True, help_text="A worker runs it, and is alive as long as it moves this on."
    )
    parked_at = models.DateTimeField(null=True, blank=True, help_text="When it was given up.")
    error = models.TextField(blank=True)

    class Meta:
        # Few and narrow: each step of a task's life writes them all anew.
        constraints = [models.UniqueConstraint(fields=["task_id"], name="queue_queuedtask_task_id")]
        indexes = [
            models.Index(fields=["due_at"], name="queue_queuedtask_due", condition=models.Q(parked_at=None)),
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
    """What the code last said of a periodic task: an edit by staff can be told from a change in the code."""

    name = models.CharField(max_length=200, unique=True)
    declaration = models.JSONField()
    edited = models.BooleanField(default=False, help_text="Staff changed it in the admin; the code no longer does.")

    def __str__(self) -> str:
        return self.name
