"""From Django's model validation to field errors."""

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db.models import Model

from framework.errors import InvalidArgument


def validate(instance: Model) -> None:
    """Check every value against its column's rules, without a query.

    Raises InvalidArgument with each bad field and what is wrong with it.
    """
    problems = _nulls(instance)
    try:
        instance.full_clean(exclude=problems, validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        problems |= field_errors(error)
    if problems:
        raise InvalidArgument("Some values cannot be accepted.", fields=problems)


def _nulls(instance: Model) -> dict[str, str]:
    """Fields that hold None and must not: Django's validation lets it pass where a field may be blank."""
    return {
        field.name: str(field.error_messages["null"])
        for field in instance._meta.concrete_fields
        if getattr(instance, field.attname) is None and not (field.null or field.primary_key)
    }


def field_errors(error: ValidationError) -> dict[str, str]:
    """Each field's messages as one text."""
    messages = error.message_dict if hasattr(error, "error_dict") else {NON_FIELD_ERRORS: error.messages}
    return {name: " ".join(texts) for name, texts in messages.items()}
