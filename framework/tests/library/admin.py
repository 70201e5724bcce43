from django.contrib import admin

from framework.admin.base import ReadOnlyAdmin
from framework.tests.library import models


@admin.register(models.Book)
class BookAdmin(ReadOnlyAdmin):
    list_display = ("id", "title", "copies")
