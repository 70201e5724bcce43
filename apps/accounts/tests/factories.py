import factory
from allauth.account.models import EmailAddress
from django.contrib.auth.models import Permission

from apps.accounts import models

PASSWORD = "correct-horse-battery"


class UserFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = models.User
        skip_postgeneration_save = True

    email = factory.Sequence(lambda number: f"user{number}@example.com")
    password = factory.django.Password(PASSWORD)

    @factory.post_generation
    def verified(self, create, extracted, **kwargs):
        """Its address is verified, unless the test says `verified=False`."""
        if create:
            EmailAddress.objects.create(user=self, email=self.email, verified=extracted is not False, primary=True)


class StaffFactory(UserFactory):
    """Staff who may do everything."""

    is_staff = True
    is_superuser = True


class LimitedStaffFactory(UserFactory):
    """Staff with no rights but those given: `LimitedStaffFactory(rights=["catalog.change_product"])`."""

    is_staff = True

    @factory.post_generation
    def rights(self, create, extracted, **kwargs):
        """Django's permissions, by name."""
        for name in extracted or ():
            label, _, codename = name.partition(".")
            self.user_permissions.add(Permission.objects.get(content_type__app_label=label, codename=codename))
