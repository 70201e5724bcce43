"""From Django's model validation to field errors."""

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db.models import Model

from framework.errors import InvalidArgument


def validate(instance: Model) -> None:
    """Check every value against its column's rules, without a query.

    Raises InvalidArgument with each bad field and what is wrong with it.
    """
    try:
        instance.full_clean(validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        raise InvalidArgument("Some values cannot be accepted.", fields=field_errors(error)) from None


def field_errors(error: ValidationError) -> dict[str, str]:
    """Each field's messages as one text."""
    messages = error.message_dict if hasattr(error, "error_dict") else {NON_FIELD_ERRORS: error.messages}
    return {name: " ".join(texts) for name, texts in messages.items()}
