import grpc
import pytest

from framework import errors
from framework.grpc.errors import DETAILS_KEY, from_call, to_status
from framework.grpc.tests import echo


class Status(grpc.RpcError):
    """The end of a call, as a stub raises it."""

    def __init__(self, code, details, trailing):
        self.code, self.details, self.trailing_metadata = lambda: code, lambda: details, lambda: trailing


ALL = sorted(errors.BY_CODE.values(), key=lambda error: error.code)


@pytest.mark.parametrize("error_class", ALL, ids=lambda error: error.code)
def test_every_error_comes_back_as_it_was_raised(error_class):
    raised = error_class("Not like this.", fields={"lines[0].quantity": "too many"}, reason="TOO_MANY")

    status = to_status(raised, "orders")
    back = from_call(Status(status.code, status.message, ((DETAILS_KEY, status.details),)), "orders")

    assert status.code.name == error_class.code
    assert type(back) is error_class
    assert (back.message, back.fields, back.reason) == ("Not like this.", raised.fields, "TOO_MANY")


@pytest.mark.parametrize("error_class", ALL, ids=lambda error: error.code)
def test_a_status_without_details_is_the_error_of_its_code(error_class):
    back = from_call(Status(grpc.StatusCode[error_class.code], "text", ()), "orders")

    assert type(back) is error_class
    assert (back.fields, back.reason) == ({}, error_class.code)


@pytest.mark.parametrize("code", sorted(set(grpc.StatusCode.__members__) - {*errors.BY_CODE, "CANCELLED"}))
def test_a_fault_of_the_callee_is_no_domain_error(code):
    assert from_call(Status(grpc.StatusCode[code], "text", ()), "orders") is None


def test_a_call_the_callee_let_go_of_is_unavailable():
    assert type(from_call(Status(grpc.StatusCode.CANCELLED, "", ()), "orders")) is errors.Unavailable


def test_the_text_of_a_broken_connection_does_not_name_addresses():
    back = from_call(Status(grpc.StatusCode.UNAVAILABLE, "connect to 10.0.0.7 failed", ()), "orders")

    assert back.message == "orders does not answer now. Try again later."


@pytest.mark.parametrize("error_class", ALL, ids=lambda error: error.code)
@pytest.mark.parametrize("method", ["Write", "Read", "Stream", "Collect", "Chat"])
def test_every_method_answers_every_error_with_its_status(stub, act, method, error_class):
    def fail(request, context):
        raise error_class("No.", reason="BECAUSE")

    act(fail)
    request = iter([echo.Text()]) if method in ("Collect", "Chat") else echo.Text()
    with pytest.raises(grpc.RpcError) as failed:
        list(getattr(stub, method)(request, metadata=echo.bearer()))

    assert failed.value.code().name == error_class.code
    assert from_call(failed.value, "echo").reason == "BECAUSE"
