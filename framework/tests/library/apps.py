from django.apps import AppConfig


class LibraryConfig(AppConfig):
    name = "framework.tests.library"
