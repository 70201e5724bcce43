from celery import shared_task

from framework.tests.library import repository


@shared_task(name="library.catalogue")
def catalogue(book_id: int) -> None:
    repository.get_book(book_id)
