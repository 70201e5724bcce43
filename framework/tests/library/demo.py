from framework.tests.library import models


def load() -> str:
    models.User.objects.create_user("admin@example.com", is_staff=True, is_superuser=True)
    models.Book.objects.create(title="A first book")
    return "library: 1 user, 1 book"
