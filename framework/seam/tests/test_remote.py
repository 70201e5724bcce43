import pytest
from django.db import transaction

from framework.seam import remote


@pytest.mark.django_db
def test_a_write_to_another_domain_is_refused_inside_a_transaction_but_not_inside_that_of_a_test():
    remote.refuse_inside_transaction()

    with transaction.atomic(), pytest.raises(RuntimeError, match="inside of a transaction"):
        remote.refuse_inside_transaction()
