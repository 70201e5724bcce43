import pytest
from django.conf import settings

if settings.SETTINGS_MODULE != "framework.tests.settings":
    raise pytest.UsageError(
        "The framework's tests have settings of their own: run them apart, as `./run test framework` does."
    )
